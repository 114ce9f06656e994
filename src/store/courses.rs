//! Courses and students as they are listed and imported.

/// One course as the public sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// Its name in requests.
    pub id: Box<str>,
    /// Its name for people.
    pub title: Box<str>,
    /// Seats in all.
    pub seats: u64,
    /// Seats that are taken.
    pub taken: u64,
    /// Students on the waiting list.
    pub waiting: u64,
}

/// All courses at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CourseList {
    /// When registration opens or has opened, in milliseconds since 1970; `None` while it is closed.
    pub opens_at: Option<i64>,
    /// Some students on the imported list have a PIN.
    pub needs_pin: bool,
    /// Every course, in the order of their ids.
    pub courses: Vec<Course>,
}

impl CourseList {
    /// Whether registration is open at `now`, in milliseconds since 1970.
    pub fn is_open(&self, now: i64) -> bool {
        self.opens_at.is_some_and(|opens_at| opens_at <= now)
    }

    /// Seats that are taken, over all courses.
    pub fn enrolled(&self) -> u64 {
        self.courses.iter().map(|course| course.taken).sum()
    }

    /// Places on waiting lists, over all courses.
    pub fn waiting(&self) -> u64 {
        self.courses.iter().map(|course| course.waiting).sum()
    }
}

/// A course to import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CourseRow {
    /// Its line in the file, for messages.
    pub line: u64,
    /// Its name in requests.
    pub id: String,
    /// Its name for people.
    pub title: String,
    /// Seats in all.
    pub seats: u64,
}

/// A student to import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StudentRow {
    /// The name in requests.
    pub id: String,
    /// The name for people.
    pub name: String,
    /// What proves who registers.
    pub pin: Option<String>,
}

/// What one import brings. Courses and students that are there already are changed to what it says; others stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Import {
    /// Courses.
    pub courses: Vec<CourseRow>,
    /// Students.
    pub students: Vec<StudentRow>,
}

/// A line of an import that is not possible, and why.
pub type LineProblem = (u64, String);
