CREATE TABLE audit_rows (
    log TEXT NOT NULL,
    seq INTEGER NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (log, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_checkpoints (
    log TEXT NOT NULL,
    seq INTEGER NOT NULL,
    statement TEXT NOT NULL,
    PRIMARY KEY (log, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_persons (
    person BLOB NOT NULL PRIMARY KEY,
    log TEXT NOT NULL,
    day INTEGER NOT NULL,
    owner BLOB NOT NULL,
    secret BLOB NOT NULL,
    UNIQUE (owner, log, day)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER audit_rows_unchanged BEFORE UPDATE ON audit_rows
BEGIN SELECT RAISE(ABORT, 'the audit log can only be added to: UPDATE of audit_rows is refused'); END;
CREATE TRIGGER audit_rows_stay BEFORE DELETE ON audit_rows
BEGIN SELECT RAISE(ABORT, 'the audit log can only be added to: DELETE of audit_rows is refused'); END;
-- INSERT OR REPLACE deletes without a word.
CREATE TRIGGER audit_rows_not_replaced BEFORE INSERT ON audit_rows
WHEN EXISTS (SELECT 1 FROM audit_rows WHERE log = NEW.log AND seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'the audit log can only be added to: this row of audit_rows is there'); END;

CREATE TRIGGER audit_checkpoints_unchanged BEFORE UPDATE ON audit_checkpoints
BEGIN SELECT RAISE(ABORT, 'the audit log can only be added to: UPDATE of audit_checkpoints is refused'); END;
CREATE TRIGGER audit_checkpoints_stay BEFORE DELETE ON audit_checkpoints
BEGIN SELECT RAISE(ABORT, 'the audit log can only be added to: DELETE of audit_checkpoints is refused'); END;
CREATE TRIGGER audit_checkpoints_not_replaced BEFORE INSERT ON audit_checkpoints
WHEN EXISTS (SELECT 1 FROM audit_checkpoints WHERE log = NEW.log AND seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'the audit log can only be added to: this row of audit_checkpoints is there'); END;

CREATE TRIGGER audit_persons_unchanged BEFORE UPDATE ON audit_persons
BEGIN SELECT RAISE(ABORT, 'the audit log can only be added to: UPDATE of audit_persons is refused'); END;
