//! A log in tables, which refuse changes, of one writer for each instance, found changed where somebody had turned that off.

use crate::{
    form::{Form, Server},
    stage::{CLIENT, NOW, Stage, client, events, record, refused, step, tag},
};
use portcullis::{
    Reason,
    audit::{
        Act, Event, Step,
        chain::{
            Chain, Fault, Filter, Ledger, LedgerError, Owner, Person, Place, Row, Tables,
            VerifyError,
        },
    },
    clock::UnixTime,
    key::KeyKind,
    records::{Postgres, Unopened},
};
use std::{fs, sync::Arc, time::Duration};

fn each() -> Vec<Stage> {
    Stage::each().into_iter().filter(|stage| !stage.is_files()).collect()
}

fn assert_refused(told: &Result<(), Unopened>, why: &str) {
    match told {
        Err(Unopened::Refused(error)) => assert!(error.to_string().contains(why), "{error}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn requirement_60_the_database_refuses_to_change_and_to_delete() {
    for stage in each() {
        stage.record((0..3).map(|_| refused(Reason::Blocked))).await;
        let good = (stage.form.lines().await, stage.form.checkpoints().await);
        let mut statements = vec![
            "UPDATE audit_rows SET line = 'x'",
            "UPDATE audit_rows SET seq = seq + 1 WHERE seq = 5",
            "DELETE FROM audit_rows",
            "DELETE FROM audit_rows WHERE seq = 3",
            "UPDATE audit_checkpoints SET statement = 'x'",
            "DELETE FROM audit_checkpoints",
            "UPDATE audit_persons SET owner = person",
            "INSERT INTO audit_rows SELECT log, seq, 'x' FROM audit_rows",
            "INSERT INTO audit_rows SELECT log, seq, 'x' FROM audit_rows WHERE true \
             ON CONFLICT (log, seq) DO UPDATE SET line = 'x'",
        ];
        match stage.form {
            Form::Sqlite(_) => statements.extend([
                "INSERT OR REPLACE INTO audit_rows SELECT log, seq, 'x' FROM audit_rows",
                "REPLACE INTO audit_checkpoints SELECT log, seq, 'x' FROM audit_checkpoints",
                "INSERT OR REPLACE INTO audit_rows (rowid, log, seq, line) VALUES (1, 'main', 9, 'x')",
            ]),
            _ => statements.extend([
                "TRUNCATE audit_rows",
                "TRUNCATE audit_checkpoints",
                "SET session_replication_role = replica; DELETE FROM audit_rows",
            ]),
        }
        for statement in statements {
            assert!(stage.form.sql(statement).await.is_err(), "{statement}");
        }
        assert_eq!((stage.form.lines().await, stage.form.checkpoints().await), good);
        let report = stage.verify().await.unwrap();
        assert_eq!((report.last, report.signed), (5, 5));
        // Keys go, and nothing else does.
        stage.form.sql("DELETE FROM audit_persons").await.unwrap();
        assert_eq!(stage.export(&Filter::default()).await[1]["erased"], true);
    }
}

#[tokio::test]
async fn tables_that_can_be_changed_are_refused_at_start() {
    for stage in each() {
        stage.record([]).await;
        stage
            .form
            .sql(match stage.form {
                Form::Sqlite(_) => "DROP TRIGGER audit_rows_stay",
                _ => "ALTER TABLE audit_rows DISABLE TRIGGER audit_rows_stay",
            })
            .await
            .unwrap();
        assert_refused(&stage.form.tables().prepare().await, "a trigger that refuses it");
    }
}

#[tokio::test]
async fn requirement_61_what_was_changed_while_triggers_were_off_is_named_by_its_row() {
    for stage in each() {
        stage.record((0..8).map(|_| refused(Reason::RateLimited))).await;
        let all = (stage.form.lines().await, stage.form.checkpoints().await);
        let set = "UPDATE audit_rows SET seq";
        for (change, row, fault) in [
            (
                "UPDATE audit_rows SET line = replace(line, '429', '200') WHERE seq = 4".to_owned(),
                Some(4),
                Fault::Changed,
            ),
            ("UPDATE audit_rows SET line = 'x' WHERE seq = 1".to_owned(), Some(1), Fault::NoRow),
            (
                "DELETE FROM audit_rows WHERE seq IN (4, 5)".to_owned(),
                Some(6),
                Fault::Missing { from: 4, to: 5 },
            ),
            (
                format!(
                    "{set} = -4 WHERE seq = 4; {set} = 4 WHERE seq = 5; {set} = 5 WHERE seq = -4"
                ),
                Some(4),
                Fault::Reordered { expected: 4 },
            ),
            (format!("{set} = 11 WHERE seq = 10"), Some(11), Fault::Reordered { expected: 11 }),
            (
                "DELETE FROM audit_rows WHERE seq <= 2".to_owned(),
                Some(3),
                Fault::Headless { first: 3 },
            ),
            ("DELETE FROM audit_rows WHERE seq > 8".to_owned(), None, Fault::CutOff { signed: 10 }),
            ("DELETE FROM audit_rows".to_owned(), None, Fault::CutOff { signed: 10 }),
            (
                "UPDATE audit_checkpoints SET statement = 'e30.e30.e30'".to_owned(),
                // As the changes before this one numbered it.
                Some(1),
                Fault::NoCheckpoint,
            ),
        ] {
            stage.form.unguarded(&change).await;
            assert_eq!(stage.fault().await, (row, fault), "{change}");
            stage.form.rewrite(&all.0).await;
            stage.form.rewrite_checkpoints(&all.1).await;
        }
        // Both tables say where.
        stage.form.unguarded("UPDATE audit_rows SET line = 'x' WHERE seq = 7").await;
        let broken = stage.verify().await.unwrap_err();
        assert_eq!(broken.place, Some(Place::Row { table: "audit_rows", number: 7 }));
        let log = broken.log.clone().unwrap();
        assert_eq!(broken.to_string(), format!("log {log}: audit_rows row 7: this is no row"));
    }
}

#[tokio::test]
async fn who_may_delete_old_rows_leaves_a_chain_that_a_checkpoint_speaks_for() {
    for stage in each() {
        for _ in 0..3 {
            stage.record((0..3).map(|_| refused(Reason::RateLimited))).await;
            stage.clock.advance(Duration::from_secs(86_400));
        }
        let report = stage.verify().await.unwrap();
        assert_eq!((report.first, report.last, report.checkpoints), (1, 15, 12));
        stage.form.unguarded("DELETE FROM audit_rows WHERE seq <= 5").await;
        assert_eq!(stage.verify().await.unwrap().first, 6);
        // Keys of a day that is past.
        stage.form.sql("DELETE FROM audit_persons WHERE day = 20834").await.unwrap();
        let rows = stage.export(&Filter::default().client(CLIENT.parse().unwrap())).await;
        assert_eq!(rows.len(), 3, "of the last day");
        let rows = stage.form.tables().read(9, 3).await.unwrap();
        assert_eq!(rows.iter().map(Row::seq).collect::<Vec<_>>(), [10, 11, 12]);
    }
}

#[tokio::test]
async fn what_is_asked_again_as_after_an_answer_that_was_lost_is_done_once() {
    for stage in each() {
        stage.record([step(Step::TokenIssued, tag(KeyKind::Subject, "ada"))]).await;
        let written = (stage.form.lines().await, stage.form.checkpoints().await);
        let tables = stage.form.tables();
        let rows: Arc<[Row]> = tables.read(0, 100).await.unwrap().into();
        assert_eq!(tables.append(Arc::clone(&rows)).await, Ok(()));
        assert_eq!(tables.append(rows[1..].into()).await, Ok(()));
        assert_eq!(tables.append(rows[..2].into()).await, Err(LedgerError::moved()));
        assert_eq!(tables.checkpoint(written.1[0].clone().into()).await, Ok(()));
        assert_eq!((stage.form.lines().await, stage.form.checkpoints().await), written);
        let owners = || vec![Owner([1; 16]), Owner([2; 16])];
        let now = UnixTime::from_secs(NOW);
        let [one, two] = [tables.persons(owners(), now).await, tables.persons(owners(), now).await];
        let ids = |persons: Vec<Person>| persons.into_iter().map(|it| it.id).collect::<Vec<_>>();
        assert_eq!(ids(one.unwrap()), ids(two.unwrap()));
    }
}

#[tokio::test]
async fn a_log_has_one_writer() {
    for stage in each() {
        let tables = stage.form.tables();
        assert_eq!(tables.prepare().await, Ok(()));
        assert_eq!(tables.prepare().await, Ok(()), "it has it");
        assert_refused(&stage.form.tables().prepare().await, "another process writes");
        drop(tables);
        assert_eq!(stage.form.tables().prepare().await, Ok(()));
        #[cfg(unix)]
        for file in fs::read_dir(stage.place.path("")).unwrap() {
            use std::os::unix::fs::PermissionsExt;
            let file = file.unwrap();
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{file:?}");
        }
    }
}

#[tokio::test]
async fn a_file_keeps_nothing_of_a_key_that_was_erased() {
    let stage = Stage::sqlite();
    let subject = tag(KeyKind::Subject, "ada");
    stage.record([step(Step::TokenIssued, subject).subject(Some(subject))]).await;
    let secret = stage.form.column("SELECT hex(secret) FROM audit_persons").await.remove(0);
    let secret: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&secret[2 * at..2 * at + 2], 16).unwrap()).collect();
    let kept = || {
        let files = fs::read_dir(stage.place.path("")).unwrap();
        let files = files.map(|file| fs::read(file.unwrap().path()).unwrap());
        files.filter(|bytes| bytes.windows(32).any(|window| window == secret)).count()
    };
    assert!(kept() > 0);
    assert_eq!(stage.archive().erase(&subject.to_string()).await.unwrap(), 1);
    assert_eq!(kept(), 0);
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    for stage in each() {
        let error = stage.archive().verify(&[]).await.unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, VerifyError::Unreadable(_)), "{text}");
        assert!(text.contains("there is no file") || text.contains("no audit tables"), "{text}");
        assert!(stage.archive().erase(CLIENT).await.is_err());
        assert_eq!(stage.form.tables().prepare().await, Ok(()));
        assert_eq!(stage.archive().verify(&[]).await.unwrap()[0].last, 0, "an empty log");
    }
}

#[tokio::test]
async fn a_chain_goes_on_from_where_a_database_went_back_to() {
    for stage in each() {
        let (chain, writer) = stage.builder().build();
        let running = tokio::spawn(writer.run());
        let written = async |count: usize| {
            while stage.form.lines().await.len() < count {
                tokio::task::yield_now().await;
            }
        };
        // Until there are tables.
        stage.form.tables_are_there().await;
        record(chain.clone(), (0..3).map(|_| refused(Reason::Blocked)));
        written(4).await;
        stage.form.unguarded("DELETE FROM audit_rows WHERE seq > 2").await;
        record(chain, [refused(Reason::Denied)]);
        running.await.unwrap();
        let rows = stage.export(&Filter::default()).await;
        assert_eq!(events(&rows), ["log-opened", "refused", "log-opened", "refused", "log-closed"]);
        assert_eq!(rows[3]["reason"], "denied", "nothing of what came later is lost");
        assert!(stage.verify().await.is_ok());
    }
}

#[cfg(unix)]
#[tokio::test]
async fn instances_have_a_log_each_and_are_looked_at_together() {
    let server = Server::shared().unwrap();
    let stage = Stage::postgres(&server);
    let write = async |instance: &str, address: &str| {
        let tables = stage.form.tables_of(instance);
        let builder = Chain::to(tables).sign(&stage.keys).unwrap().clock(stage.clock.clone());
        let copy = stage.place.path(&format!("{instance}.jws"));
        let (chain, writer) = builder.copy_checkpoints(copy).build();
        record(chain, [Event::new(Act::Refused(Reason::Blocked)).client(client(address))]);
        writer
    };
    // At the same time.
    let (one, two) = (write("one", CLIENT).await, write("two", CLIENT).await);
    tokio::join!(one.run(), two.run());
    let archive = ["one", "two"].into_iter().fold(stage.form.archive(), |archive, instance| {
        archive.checkpoints(stage.place.path(&format!("{instance}.jws")))
    });
    let reports = archive.verify(&[stage.public()]).await.unwrap();
    let of = |at: usize| {
        (reports[at].log.as_deref().unwrap(), reports[at].last, reports[at].checkpoints)
    };
    assert_eq!((reports.len(), of(0), of(1)), (2, ("one", 3, 4), ("two", 3, 4)));
    let rows = stage.export(&Filter::default()).await;
    assert_eq!((events(&rows).len(), &rows[3]["log"]), (6, &"two".into()));
    assert_eq!(archive.erase(CLIENT).await.unwrap(), 2, "in both");
    // One of them is gone, and the copy tells.
    stage.form.unguarded("DELETE FROM audit_rows WHERE log = 'two'; DELETE FROM audit_checkpoints WHERE log = 'two';").await;
    assert_eq!(stage.form.archive().verify(&[stage.public()]).await.unwrap().len(), 1, "unseen");
    let error = archive.verify(&[stage.public()]).await.unwrap_err();
    assert!(error.to_string().contains("cut off"), "{error}");
    for bad in ["", "a b", "ä", &"x".repeat(65)] {
        assert!(Tables::postgres(Postgres::new("postgres://u@127.0.0.1/d").unwrap(), bad).is_err());
    }
}

#[cfg(unix)]
#[tokio::test]
async fn requirement_60_a_role_that_may_only_add_writes_and_changes_nothing() {
    let server = Server::shared().unwrap();
    let stage = Stage::postgres(&server);
    stage.record([refused(Reason::Blocked)]).await;
    let Form::Postgres(_, url) = &stage.form else { panic!("another form") };
    let name = url.rsplit_once('/').unwrap().1;
    let schema = "portcullis_audit";
    stage.form.sql(&format!(
        "CREATE ROLE {name} LOGIN; GRANT USAGE ON SCHEMA {schema} TO {name};\
         GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {name};\
         GRANT INSERT ON {schema}.audit_rows, {schema}.audit_checkpoints, {schema}.audit_persons TO {name};"
    )).await.unwrap();
    let small = Form::Postgres(server, url.replacen("portcullis@", &format!("{name}@"), 1));
    let (chain, writer) = Chain::to(small.tables()).sign(&stage.keys).unwrap().build();
    record(chain, [refused(Reason::Blocked)]);
    writer.run().await;
    assert_eq!(stage.verify().await.unwrap().last, 6);
    for statement in [
        "UPDATE audit_rows SET line = 'x'",
        "DELETE FROM audit_rows",
        "DELETE FROM audit_persons",
        "TRUNCATE audit_persons",
        "ALTER TABLE audit_rows DISABLE TRIGGER audit_rows_stay",
        "DROP TABLE audit_rows",
    ] {
        let error = small.sql(statement).await.unwrap_err().to_string();
        assert!(error.contains("permission denied") || error.contains("must be owner"), "{error}");
    }
    let told = small.archive().erase(CLIENT).await.unwrap_err().to_string();
    assert!(told.contains("may not do this"), "{told}");
}
