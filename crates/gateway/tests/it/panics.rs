//! Of a panic its place is told, so that somebody can mend it, and its words are told to nobody: they may hold what
//! somebody sent.

use std::{
    panic::{PanicHookInfo, catch_unwind, set_hook, take_hook},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use axum::{Router, body::Body, response::IntoResponse};
use crypto::Suite;
use domain::time::{Clock, Timestamp};
use gateway::{
    api::{Problem, to_the_end},
    config::Config,
    error::Error,
    messenger::{Messenger, Outbox},
    panics,
    router::router,
    start::{self, World},
};
use http::{Method, Request};
use store::Random;
use tower::ServiceExt;

use crate::{
    app::{CONFIG, TestApp},
    reply::Reply,
    told::told,
};

/// What a panic says here.
const WORDS: &str = "陈伟东 110101199001010011";

fn panicking() {
    panic!("{WORDS}");
}

#[track_caller]
fn says_none_of_the_words(told: &str) {
    let said = WORDS.split(' ').find(|word| told.contains(*word));
    assert_eq!(said, None, "{told}");
}

/// Runs it to its end on this thread, with all that it spawns.
fn on_this_thread<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(work)
}

#[test]
fn where_a_panic_was_is_told_and_not_what_it_said() {
    type Hook = dyn Fn(&PanicHookInfo<'_>) + Send + Sync;
    let (this, written) = (thread::current().id(), Arc::new(Mutex::new(Vec::<u8>::new())));
    let before: Arc<Hook> = Arc::from(take_hook());
    let (ours, theirs) = (Arc::clone(&written), Arc::clone(&before));
    // The cases beside this one keep the hook that they have.
    set_hook(Box::new(move |panic| {
        if thread::current().id() == this {
            panics::tell(panic, &mut *ours.lock().unwrap());
        } else {
            theirs(panic);
        }
    }));
    // Here nothing is traced, and then errors are.
    let untraced = catch_unwind(panicking);
    let (traced, told) = told(|| catch_unwind(panicking));
    set_hook(Box::new(move |panic| before(panic)));
    assert!(untraced.is_err() && traced.is_err());
    let written = String::from_utf8(written.lock().unwrap().clone()).unwrap();
    assert_eq!(written.matches("a panic").count(), 1, "{written}");
    for told in [written, told.errors.join("\n")] {
        assert!(told.contains("a panic") && told.contains(file!()), "{told}");
        says_none_of_the_words(&told);
    }
}

#[test]
fn a_task_that_panicked_tells_none_of_its_words() {
    let (reply, told) = told(|| {
        on_this_thread(async {
            let work = async {
                panicking();
                Ok::<(), Error>(())
            };
            let error = to_the_end(work).await.unwrap_err();
            Reply::of(Problem(error).into_response()).await
        })
    });
    let reply = reply.expect_problem(500, "INTERNAL");
    says_none_of_the_words(&reply.text);
    let errors = told.errors.join("\n");
    assert!(errors.contains("a task panicked"), "{errors}");
    says_none_of_the_words(&errors);
}

/// Stands still, and panics once at the next look where it was told to.
#[derive(Default)]
struct Planted(AtomicBool);

impl Planted {
    fn panics_next(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Clock for Planted {
    fn now(&self) -> Timestamp {
        assert!(!self.0.swap(false, Ordering::SeqCst), "{WORDS}");
        TestApp::begins()
    }
}

/// All that is served, by this clock.
async fn served(folder: &Path, clock: &Arc<Planted>) -> Router {
    let world = World {
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        random: Arc::new(Random::new([7; 32])),
    };
    let data = format!("data_folder = {:?}", folder.display().to_string());
    let config = CONFIG.replace("data_folder = \"unused\"", &data);
    let config = Config::parse(&config, std::iter::empty()).unwrap();
    let keys = format!("file:{}", folder.join("root-keys.json").display());
    let root = start::root_keys(&keys, "demo", Some(Suite::Intl), &world).unwrap();
    let messenger = Messenger::Outbox(Outbox::default());
    let app = start::start(config, root, &[], messenger, &world).await.unwrap();
    start::begin(&app).await.unwrap();
    router(Arc::new(app))
}

/// What is answered where a handler of the API panics, then where the layer around pages does, and where nothing does.
async fn answers(folder: &Path) -> [Reply; 3] {
    let clock = Arc::new(Planted::default());
    let served = served(folder, &clock).await;
    let send = async |request: Request<Body>| {
        let response = served.clone().oneshot(request).await;
        Reply::of(response.unwrap()).await
    };
    let code = || {
        let body = r#"{"phone": "17900100003"}"#;
        TestApp::request(Method::POST, "/v1/account/codes", None, body)
    };
    let page = Request::get("/look-ups").header("cookie", "mingcha-session=abc");
    clock.panics_next();
    let of_the_api = send(code()).await;
    clock.panics_next();
    let of_the_portal = send(page.body(Body::empty()).unwrap()).await;
    [of_the_api, of_the_portal, send(code()).await]
}

#[test]
fn a_request_that_panics_is_answered_without_its_words() {
    let folder = tempfile::tempdir().unwrap();
    let ([of_the_api, of_the_portal, next], told) = told(|| on_this_thread(answers(folder.path())));
    let of_the_api = of_the_api.expect_problem(500, "INTERNAL");
    let of_the_portal = of_the_portal.expect(500);
    next.expect(202);
    let errors = told.errors.join("\n");
    assert!(errors.contains("a handler panicked"), "{errors}");
    for told in [of_the_api.text, of_the_portal.text, errors] {
        says_none_of_the_words(&told);
    }
}
