//! Made-up courses for a demonstration.

use crate::store::CourseRow;

/// Titles; more courses than these are numbered groups of them.
const TITLES: [&str; 20] = [
    "Robotics",
    "Choir",
    "Chess",
    "Pottery",
    "Astronomy",
    "Theatre",
    "Climbing",
    "Photography",
    "Creative Writing",
    "Web Design",
    "Orchestra",
    "First Aid",
    "Cooking",
    "Debating",
    "Badminton",
    "Film",
    "Gardening",
    "Electronics",
    "Spanish",
    "Bicycle Repair",
];

/// `count` courses with `seats` seats each.
pub(super) fn courses(count: u64, seats: u64) -> Vec<CourseRow> {
    let course = |number: u64| {
        let (group, title) = (number / TITLES.len() as u64, TITLES[number as usize % TITLES.len()]);
        let title = if group == 0 { title.to_owned() } else { format!("{title} {}", group + 1) };
        CourseRow { line: number + 1, id: format!("demo-{:02}", number + 1), title, seats }
    };
    (0..count).map(course).collect()
}
