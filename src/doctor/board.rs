//! Checks of the board: clock, power supply, heat, network and what it records.

use super::Facts;
use super::finding::{Check, Verdict};

pub(super) fn governor(facts: &Facts) -> Check {
    const NAME: &str = "governor";
    let Some(governor) = &facts.limits.governor else { return Check::unknown(NAME) };
    let check = Check::fine(NAME, governor);
    let (verdict, why) = match governor.as_str() {
        "performance" => return check,
        "powersave" => (Verdict::Short, "the CPU is held at its lowest clock"),
        _ => (Verdict::Advice, "the clock follows the load, so results of short runs vary"),
    };
    let mut check = check.is(verdict, why);
    check.automatic = true;
    check.fix(
        "echo 'w /sys/devices/system/cpu/cpufreq/policy*/scaling_governor - - - - performance' | \
         sudo tee /etc/tmpfiles.d/90-fastgo-governor.conf && \
         sudo systemd-tmpfiles --create /etc/tmpfiles.d/90-fastgo-governor.conf",
    )
}

pub(super) fn supply(facts: &Facts) -> Check {
    const NAME: &str = "under_voltage";
    let throttled = facts.board.throttled.as_ref();
    let has = |flags: &[&str]| flags.contains(&"under_voltage");
    let now = facts.board.under_voltage == Some(true) || throttled.is_some_and(|flags| has(&flags.now));
    if now {
        return Check::fine(NAME, "too low now").is(Verdict::Short, WEAK_SUPPLY);
    }
    if throttled.is_some_and(|flags| has(&flags.occurred)) {
        return Check::fine(NAME, "has been too low since the board started").is(Verdict::Advice, WEAK_SUPPLY);
    }
    if facts.board.under_voltage.is_none() && throttled.is_none() {
        return Check::unknown(NAME);
    }
    Check::fine(NAME, "never too low since the board started")
}

const WEAK_SUPPLY: &str = "under 4.63 V the firmware slows the board down and it may fail: use the board's own power \
                           supply and a short cable, and take power-hungry devices off USB";

pub(super) fn throttling(facts: &Facts) -> Check {
    const NAME: &str = "throttling";
    let heat = facts.board.temperature_c.map(|now| match facts.board.temperature_limit_c {
        Some(limit) => format!(" at {now:.0} °C, slower from {limit:.0} °C on"),
        None => format!(" at {now:.0} °C"),
    });
    let heat = heat.unwrap_or_default();
    let Some(throttled) = &facts.board.throttled else {
        let check = Check { found: format!("unavailable here{heat}"), ..Check::unknown(NAME) };
        return match facts.board.model.as_deref() {
            Some(model) if model.starts_with("Raspberry Pi") => {
                Check { why: "only root may ask the firmware; a service of the package does it".to_owned(), ..check }
                    .fix("sudo systemctl start fastgo-firmware.service")
            }
            _ => check,
        };
    };
    // Under-voltage has a check of its own.
    let without = |flags: &[&'static str]| {
        let others: Vec<_> =
            flags.iter().filter(|flag| **flag != "under_voltage").map(|flag| flag.replace('_', " ")).collect();
        others.join(", ")
    };
    let (now, occurred) = (without(&throttled.now), without(&throttled.occurred));
    if !now.is_empty() {
        return Check::fine(NAME, format!("{now} now{heat}")).is(
            Verdict::Short,
            "the board is slowed down while you measure: cool it (heat sink, fan, air), and replace the power supply if \
             its voltage is too low",
        );
    }
    if !occurred.is_empty() {
        return Check::fine(NAME, format!("none now{heat}; {occurred} since the board started"))
            .is(Verdict::Advice, "it was slowed down before, and the same load will do so again");
    }
    Check::fine(NAME, format!("none{heat}"))
}

pub(super) fn pressure(facts: &Facts) -> Check {
    const NAME: &str = "pressure";
    if facts.board.psi.is_some() {
        return Check::fine(NAME, "recorded");
    }
    let is_pi = facts.board.model.as_deref().is_some_and(|model| model.starts_with("Raspberry Pi"));
    if !is_pi {
        return Check::unknown(NAME);
    }
    Check::fine(NAME, "not recorded")
        .is(Verdict::Advice, "how long programs wait for CPU, memory and disk; Raspberry Pi OS leaves it off")
        .fix("sudo sed -i '1 s/$/ psi=1/' /boot/firmware/cmdline.txt  # then reboot")
}

pub(super) fn network(facts: &Facts) -> Check {
    const NAME: &str = "network";
    /// Below this a 100-Mbit/s link of an old switch or a damaged cable is likely.
    const FAST: u32 = 1_000;
    let Some(net) = &facts.board.net else { return Check::unknown(NAME) };
    let name = &net.interface;
    match (net.speed_mbps, net.signal_dbm) {
        (_, Some(dbm)) => Check::fine(NAME, format!("{name}: Wi-Fi, signal {dbm} dBm"))
            .is(Verdict::Advice, "Wi-Fi adds delays of its own: measure over a cable"),
        (Some(speed), None) if speed < FAST => Check::fine(NAME, format!("{name}: {speed} Mbit/s"))
            .is(Verdict::Advice, "the link limits the throughput; a Raspberry Pi 3 has no faster one, others do"),
        (Some(speed), None) => Check::fine(NAME, format!("{name}: {speed} Mbit/s")),
        (None, None) => Check { found: format!("{name}, speed unavailable"), ..Check::unknown(NAME) },
    }
}
