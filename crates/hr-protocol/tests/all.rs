//! The protocol as its users see it: what was said arrives, and nothing else does.

use std::ffi::OsString;

use hr_protocol::frame::{Decoder, FrameError, Header, MAX_BODY, encode, read, write};
use hr_protocol::{
    Call, Command, ExitStatus, ImportFailure, ImportOutcome, Job, Outcome, Payload, ProcessContext, Program,
    Reply, Report, Request, RunId, SnapshotId, Work,
};
use proptest::prelude::*;

fn payload() -> impl Strategy<Value = Payload> {
    let bytes = prop::collection::vec(any::<u8>(), 0..300);
    let lengths = prop::collection::vec(any::<u64>(), 0..4);
    prop_oneof![
        (bytes, lengths.clone()).prop_map(|(bytes, lengths)| Payload::Inline { bytes, lengths }),
        lengths.prop_map(|lengths| Payload::Shared { lengths }),
    ]
}

fn work() -> impl Strategy<Value = Work> {
    prop_oneof![
        (payload(), prop::option::of("[a-z.]{1,20}"))
            .prop_map(|(payload, module)| Work::Function { payload, module }),
        "\\PC{0,20}".prop_map(|path| Work::Program {
            program: Program::Script(path.into()),
            reloaded: true,
            early: true,
            entry: Some("shop.web".to_owned()),
            changed: Vec::new(),
        }),
        "[a-z.]{1,20}".prop_map(|module| Work::Program {
            program: Program::Module(module),
            reloaded: false,
            early: false,
            entry: None,
            changed: Vec::new(),
        }),
        ("[a-z.]{1,20}", "[a-z.]{1,20}")
            .prop_map(|(module, function)| Program::Function { module, function })
            .prop_map(|program| Work::Program {
                program,
                reloaded: true,
                early: true,
                entry: None,
                changed: Vec::new(),
            }),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    let text = || prop::collection::vec("\\PC{0,12}".prop_map(Into::into), 0..4);
    let pair = ("[A-Z]{1,8}".prop_map(OsString::from), "\\PC{0,20}".prop_map(OsString::from));
    let environment = prop::collection::vec(pair, 0..5);
    (text(), text(), environment, any::<u32>(), any::<[bool; 3]>(), work()).prop_map(
        |(argv, sys_path, environment, umask, stdio, work)| Call {
            context: ProcessContext {
                argv,
                sys_path,
                environment: environment.into_iter().collect(),
                umask,
                stdio,
                ..ProcessContext::default()
            },
            work,
        },
    )
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        ("[a-z.]{1,30}", any::<bool>(), any::<u32>()).prop_map(|(module, forced, written)| Command::Import {
            module,
            forced,
            written
        }),
        any::<u64>().prop_map(|id| Command::Fork { snapshot: SnapshotId(id) }),
        (any::<u64>(), call()).prop_map(|(run, call)| Command::Run(Box::new(Job {
            run: RunId(run),
            call: call.into(),
            checkpointing: None
        }))),
        any::<u64>().prop_map(|run| Command::Spare { run: RunId(run) }),
        any::<u64>().prop_map(|run| Command::Sweep { run: RunId(run) }),
        Just(Command::Settle),
        prop::collection::vec(any::<i32>(), 0..9).prop_map(|snapshots| Command::Retire { snapshots }),
    ]
}

proptest! {
    /// Any sequence of messages, cut into any pieces, comes out whole and in order.
    #[test]
    fn messages_arrive_as_they_were_sent_however_the_stream_is_cut(
        sent in prop::collection::vec((command(), 0..=16u8), 0..12),
        cuts in prop::collection::vec(1..400usize, 1..60),
    ) {
        let mut stream = Vec::new();
        for (message, descriptors) in &sent {
            stream.extend(encode(message, usize::from(*descriptors)).unwrap());
        }
        let mut decoder = Decoder::default();
        let mut arrived = Vec::new();
        let mut rest = stream.as_slice();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            rest = after;
            decoder.push(piece);
            while let Some(frame) = decoder.next_frame::<Command>().unwrap() {
                arrived.push((frame.message, frame.descriptors));
            }
        }
        prop_assert_eq!(arrived, sent);
        prop_assert!(!decoder.is_partial());
    }

    /// Bytes that nobody meant as a message are an error or wait for more; they never panic, and never make the
    /// decoder set aside more than it was given.
    #[test]
    fn hostile_bytes_are_an_error_at_worst(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let mut decoder = Decoder::default();
        decoder.push(&bytes);
        while let Ok(Some(_)) = decoder.next_frame::<Request>() {}
        let mut decoder = Decoder::default();
        decoder.push(&bytes);
        while let Ok(Some(_)) = decoder.next_frame::<Report>() {}
        let _ = read::<Outcome>(&mut bytes.as_slice());
    }
}

#[test]
fn a_frame_over_the_limit_is_refused_before_its_body_arrives() {
    let mut decoder = Decoder::default();
    let length = u32::try_from(MAX_BODY + 1).unwrap().to_le_bytes();
    decoder.push(&length);
    decoder.push(&[0]);
    assert!(matches!(decoder.next_frame::<Reply>(), Err(FrameError::TooLong { .. })));

    let huge = Outcome::Returned(Payload::Inline { bytes: vec![0; MAX_BODY + 1], lengths: vec![] });
    assert!(matches!(encode(&huge, 0), Err(FrameError::TooLong { .. })));
    assert!(matches!(encode(&Command::Settle, 17), Err(FrameError::TooManyDescriptors { descriptors: 17 })));
}

#[test]
fn a_body_longer_than_its_message_is_refused() {
    let mut bytes = encode(&Command::Settle, 0).unwrap();
    bytes.push(0);
    bytes[0] += 1;
    let mut decoder = Decoder::default();
    decoder.push(&bytes);
    assert!(matches!(decoder.next_frame::<Command>(), Err(FrameError::TrailingBytes { extra: 1 })));
}

#[test]
fn messages_pass_through_any_reader_and_writer() {
    let reports = [
        Report::Ended { run: RunId(3), status: ExitStatus::Signaled(9) },
        Report::Imported {
            module: "numpy".to_owned(),
            micros: 90_000,
            outcome: ImportOutcome::Failed { failure: ImportFailure::NotFound, left_traces: false },
            threads: 1,
        },
    ];
    let mut stream = Vec::new();
    for report in &reports {
        write(&mut stream, report).unwrap();
    }
    let whole = stream.clone();
    let mut reader = stream.as_slice();
    for report in &reports {
        assert_eq!(read::<Report>(&mut reader).unwrap().as_ref(), Some(report));
    }
    assert!(read::<Report>(&mut reader).unwrap().is_none(), "the end between two frames is no error");
    let cut = &whole[..=Header::SIZE];
    assert!(
        matches!(read::<Report>(&mut &cut[..]), Err(FrameError::Stream(_))),
        "the end within a frame is one"
    );
}
