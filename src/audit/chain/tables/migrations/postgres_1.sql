CREATE TABLE audit_rows (
    log TEXT NOT NULL,
    seq BIGINT NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (log, seq)
);

CREATE TABLE audit_checkpoints (
    log TEXT NOT NULL,
    seq BIGINT NOT NULL,
    statement TEXT NOT NULL,
    PRIMARY KEY (log, seq)
);

CREATE TABLE audit_persons (
    person BYTEA NOT NULL PRIMARY KEY,
    log TEXT NOT NULL,
    day BIGINT NOT NULL,
    owner BYTEA NOT NULL,
    secret BYTEA NOT NULL,
    UNIQUE (owner, log, day)
);

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log can only be added to: % of % is refused', TG_OP, TG_TABLE_NAME;
END
$$;

CREATE TRIGGER audit_rows_stay BEFORE UPDATE OR DELETE ON audit_rows FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER audit_rows_all_stay BEFORE TRUNCATE ON audit_rows EXECUTE FUNCTION refuse();
CREATE TRIGGER audit_checkpoints_stay BEFORE UPDATE OR DELETE ON audit_checkpoints FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER audit_checkpoints_all_stay BEFORE TRUNCATE ON audit_checkpoints EXECUTE FUNCTION refuse();
CREATE TRIGGER audit_persons_stay BEFORE UPDATE ON audit_persons FOR EACH ROW EXECUTE FUNCTION refuse();

-- In replicas of a logical subscription, and for whoever says that it is one, too.
ALTER TABLE audit_rows ENABLE ALWAYS TRIGGER audit_rows_stay;
ALTER TABLE audit_rows ENABLE ALWAYS TRIGGER audit_rows_all_stay;
ALTER TABLE audit_checkpoints ENABLE ALWAYS TRIGGER audit_checkpoints_stay;
ALTER TABLE audit_checkpoints ENABLE ALWAYS TRIGGER audit_checkpoints_all_stay;
ALTER TABLE audit_persons ENABLE ALWAYS TRIGGER audit_persons_stay;
