//! A full disk: nothing is answered without evidence while it lasts, and the same process serves again when there is
//! room.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::Duration,
};

use super::workload::Workload;
use crate::{
    fault::crash::{Answer, Exception},
    program::{Demo, Setup},
    run::{self, Stopwatch},
};

/// The disk: the data of the workload take 8 MB at most.
const DISK_MB: u32 = 24;
/// SQLite writes its log over and over in the same place, so that a full disk is felt only once it would grow.
const MOST_ASKED: usize = 400;
/// How soon there must be answers again once there is room.
const BACK_WITHIN: Duration = Duration::from_secs(10);
/// What was not taken is asked again after so long.
const PAUSE: Duration = Duration::from_millis(100);

/// A small disk in memory, mounted at a folder as long as this lives.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    fn mount(folder: &'a Path) -> Result<Self, String> {
        let size = format!("size={DISK_MB}m");
        let mut mount = Command::new("mount");
        run::show(mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder))
            .map_err(|e| format!("{e}; a small disk is mounted as root"))?;
        Ok(Disk(folder))
    }

    /// Takes all that is left.
    fn fill(&self) -> Result<PathBuf, String> {
        let path = self.0.join("filler");
        let told = |e: std::io::Error| format!("{}: {e}", path.display());
        let mut file = File::create(&path).map_err(told)?;
        for size in [1 << 20, 4096] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        Ok(path)
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0).status());
    }
}

/// What was wrong.
///
/// # Errors
/// No disk can be mounted, or the program does not start or answer on an empty one.
pub(super) fn measure(workload: &Workload<'_>) -> Result<Vec<String>, String> {
    let folder = workload.folder().join("full");
    let setup = workload.begin(&folder)?;
    let (data, before) = (setup.data(), folder.join("before"));
    let told = |e: std::io::Error| format!("{}: {e}", data.display());
    fs::rename(&data, &before).map_err(told)?;
    fs::create_dir(&data).map_err(told)?;
    let disk = Disk::mount(&data)?;
    super::shim::copy(&before, &data)?;
    let mut demo = setup.start()?;
    let mut answers = workload.ask(&setup);
    let filler = disk.fill()?;
    let mut wrong = vec![];
    match refusals(workload, &setup, &mut answers) {
        0 => return Err("the disk was full, and nothing noticed it".to_owned()),
        count => eprintln!("  a full disk: {count} questions were not taken"),
    }
    fs::remove_file(filler).map_err(told)?;
    if let Some(what) = back(workload, &setup, &mut demo, &mut answers) {
        wrong.push(what);
    } else {
        demo.stop_and_wait()?;
    }
    let after = workload.aftermath(&setup, answers)?;
    wrong.extend(after.iter().map(Exception::to_string));
    Ok(wrong.iter().map(|what| format!("a full disk: {what}")).collect())
}

/// Asks until something is not taken for want of room, and once more; how often it was not taken.
fn refusals(workload: &Workload<'_>, setup: &Setup<'_>, answers: &mut Vec<Answer>) -> usize {
    let mut refused = 0;
    while refused == 0 && answers.len() < MOST_ASKED {
        let told = workload.ask(setup);
        refused = told.iter().filter(|a| a.status == 503).count();
        answers.extend(told);
    }
    let again = workload.ask(setup);
    refused += again.iter().filter(|a| a.status == 503).count();
    answers.extend(again);
    refused
}

/// Asks until everything is answered; what is wrong if that does not come.
fn back(
    workload: &Workload<'_>,
    setup: &Setup<'_>,
    demo: &mut Demo,
    answers: &mut Vec<Answer>,
) -> Option<String> {
    let watch = Stopwatch::start();
    loop {
        let told = workload.ask(setup);
        let served = !told.is_empty() && told.iter().all(|a| a.status != 503);
        answers.extend(told);
        if served {
            return None;
        }
        if demo.has_ended() {
            return Some("it stopped, instead of serving again".to_owned());
        }
        if watch.elapsed() > BACK_WITHIN {
            return Some("there is room again, and it does not serve".to_owned());
        }
        sleep(PAUSE);
    }
}
