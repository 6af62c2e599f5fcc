//! Every engine of this process gives the same checksum for the same program.

use tumulus_peers::table::{Engine, Scale, Workload};

#[test]
fn engines_agree_about_every_program() {
    for workload in Workload::ALL {
        let size = workload.size(Scale::Tiny);
        let mut expected = None;
        for engine in Engine::ALL {
            let Some(mut run) = engine.start(workload).unwrap() else { continue };
            let checksum = run.round(size).unwrap();
            assert_eq!(*expected.get_or_insert(checksum), checksum, "{engine} on {workload}");
            // A second round in the same heap.
            assert_eq!(run.round(size).unwrap(), checksum, "{engine} on {workload}, again");
        }
        assert!(expected.is_some());
    }
}
