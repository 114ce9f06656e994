-- Version 1. The rules of src/store/sqlite/schema.rs and src/store/sqlite/batch.rs on a PostgreSQL server.

CREATE TABLE fastgo.version (version bigint NOT NULL);

-- One row. Registration is open from opens_at on, in milliseconds since 1970; NULL: closed. Every writer updates it
-- first: its lock makes the boards take turns, in order of arrival, and its change makes every commit wait for the
-- synchronous standby, so that nothing is acknowledged that a failover would lose.
CREATE TABLE fastgo.registration_day (
    one integer PRIMARY KEY CHECK (one = 1),
    opens_at bigint,
    pin_salt bytea NOT NULL,
    changes bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);

CREATE TABLE fastgo.courses (
    course bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    title text NOT NULL,
    seats bigint NOT NULL CHECK (seats >= 0),
    taken bigint NOT NULL DEFAULT 0 CHECK (taken BETWEEN 0 AND seats),
    waiting bigint NOT NULL DEFAULT 0 CHECK (waiting >= 0),
    demo boolean NOT NULL DEFAULT false
) WITH (fillfactor = 10);

-- Where it has rows, nobody else may register.
CREATE TABLE fastgo.students (
    id text COLLATE "C" PRIMARY KEY,
    name text NOT NULL,
    pin bytea
);

-- Rows are never deleted while their course exists, so sequence rises for ever. status: 0 enrolled, 1 waiting, 2 cancelled.
CREATE TABLE fastgo.registrations (
    sequence bigint PRIMARY KEY,
    token bytea NOT NULL,
    student text COLLATE "C" NOT NULL,
    course bigint NOT NULL REFERENCES fastgo.courses (course),
    status integer NOT NULL CHECK (status IN (0, 1, 2)),
    registered_at bigint NOT NULL
);
CREATE UNIQUE INDEX one_registration ON fastgo.registrations (student, course) WHERE status < 2;
CREATE INDEX waiting_list ON fastgo.registrations (course, sequence) WHERE status = 1;

CREATE TABLE fastgo.idempotency_keys (
    key bytea PRIMARY KEY,
    sequence bigint NOT NULL
);

-- The counters of a course follow its registrations; the CHECKs above then refuse a seat too many. Order of arrival: who
-- comes last takes no seat while others wait, and the first who waits is the next to be seated.
CREATE FUNCTION fastgo.keep_rules() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        UPDATE fastgo.courses SET taken = taken - (OLD.status = 0)::int, waiting = waiting - (OLD.status = 1)::int
            WHERE course = OLD.course;
        RETURN OLD;
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.status = 0 AND EXISTS (SELECT 1 FROM fastgo.courses WHERE course = NEW.course AND waiting > 0) THEN
            RAISE EXCEPTION 'others wait for this course';
        END IF;
        UPDATE fastgo.courses SET taken = taken + (NEW.status = 0)::int, waiting = waiting + (NEW.status = 1)::int
            WHERE course = NEW.course;
        RETURN NEW;
    END IF;
    IF OLD.status = 2 THEN
        RAISE EXCEPTION 'this registration was cancelled';
    END IF;
    IF OLD.status = 0 AND NEW.status = 1 THEN
        RAISE EXCEPTION 'this registration has a seat';
    END IF;
    IF OLD.status = 1 AND NEW.status = 0 AND EXISTS (SELECT 1 FROM fastgo.registrations
        WHERE course = NEW.course AND status = 1 AND sequence < NEW.sequence) THEN
        RAISE EXCEPTION 'others have waited longer';
    END IF;
    UPDATE fastgo.courses SET taken = taken + (NEW.status = 0)::int - (OLD.status = 0)::int,
        waiting = waiting + (NEW.status = 1)::int - (OLD.status = 1)::int WHERE course = NEW.course;
    RETURN NEW;
END
$$;
CREATE TRIGGER keep_rules BEFORE INSERT OR DELETE OR UPDATE OF status ON fastgo.registrations
    FOR EACH ROW EXECUTE FUNCTION fastgo.keep_rules();

-- Gives free seats of a course to those who wait, in the order in which they came.
CREATE FUNCTION fastgo.promote(of_course bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WHILE EXISTS (SELECT 1 FROM fastgo.courses WHERE course = of_course AND taken < seats AND waiting > 0) LOOP
        UPDATE fastgo.registrations SET status = 0 WHERE sequence =
            (SELECT min(sequence) FROM fastgo.registrations WHERE course = of_course AND status = 1);
    END LOOP;
END
$$;

CREATE FUNCTION fastgo.place(of_course bigint, of_sequence bigint, of_status integer) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT count(*) FROM fastgo.registrations
        WHERE of_status = 1 AND course = of_course AND status = 1 AND sequence <= of_sequence
$$;

-- Carries out one batch in its order; the caller has updated registration_day in the same transaction. A command with a
-- student registers (token: of the new registration), one without cancels (token: of the old one). outcome:
-- 0 registered, 1 known, 2 cancelled, 3 unknown course, 4 unknown registration, 5 not allowed, 6 closed, 7 key reused.
CREATE FUNCTION fastgo.carry_out(
    now bigint, students text[], wishes text[], pins bytea[], keys bytea[], arrivals bigint[], sequences bigint[], tokens bytea[]
) RETURNS TABLE (
    outcome integer, sequence bigint, token bytea, student text, wish text, status integer, place bigint,
    registered_at bigint, opens_at bigint
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    c record;
    before record;
    known bigint;
    pin_of_student bytea;
    opening bigint := (SELECT d.opens_at FROM fastgo.registration_day d);
    listed boolean := EXISTS (SELECT 1 FROM fastgo.students);
    last bigint := (SELECT coalesce(max(r.sequence), 0) FROM fastgo.registrations r);
    seat boolean;
    course_number bigint;
    line bigint;
BEGIN
    FOR c IN SELECT * FROM unnest(students, wishes, pins, keys, arrivals, sequences, tokens)
        AS command (student, wish, pin, key, arrived, sequence, token) LOOP
        sequence := NULL; token := NULL; student := NULL; wish := NULL; status := NULL; place := NULL;
        registered_at := NULL; opens_at := NULL;
        before := NULL;
        IF c.student IS NULL THEN
            SELECT r.sequence, r.token, r.student, k.id, r.status, r.registered_at, r.course INTO before
                FROM fastgo.registrations r JOIN fastgo.courses k ON k.course = r.course
                WHERE r.sequence = c.sequence AND r.token = c.token;
            IF NOT FOUND THEN
                outcome := 4;
                RETURN NEXT;
                CONTINUE;
            END IF;
            IF before.status <> 2 THEN
                UPDATE fastgo.registrations r SET status = 2 WHERE r.sequence = c.sequence;
                PERFORM fastgo.promote(before.course);
            END IF;
            outcome := 2; sequence := before.sequence; token := before.token; student := before.student;
            wish := before.id; status := 2; registered_at := before.registered_at;
            RETURN NEXT;
            CONTINUE;
        END IF;
        IF listed THEN
            SELECT s.pin INTO pin_of_student FROM fastgo.students s WHERE s.id = c.student;
            IF NOT FOUND OR (pin_of_student IS NOT NULL AND pin_of_student IS DISTINCT FROM c.pin) THEN
                outcome := 5;
                RETURN NEXT;
                CONTINUE;
            END IF;
        END IF;
        known := (SELECT i.sequence FROM fastgo.idempotency_keys i WHERE i.key = c.key);
        IF known IS NULL THEN
            SELECT k.course, k.taken < k.seats AND k.waiting = 0, k.waiting INTO course_number, seat, line
                FROM fastgo.courses k WHERE k.id = c.wish;
            IF NOT FOUND THEN
                outcome := 3;
                RETURN NEXT;
                CONTINUE;
            END IF;
            SELECT r.sequence, r.token, r.student, c.wish AS id, r.status, r.registered_at, r.course INTO before
                FROM fastgo.registrations r
                WHERE r.student = c.student AND r.course = course_number AND r.status < 2;
            IF FOUND AND c.key IS NOT NULL THEN
                INSERT INTO fastgo.idempotency_keys (key, sequence) VALUES (c.key, before.sequence);
            END IF;
        ELSE
            SELECT r.sequence, r.token, r.student, k.id, r.status, r.registered_at, r.course INTO before
                FROM fastgo.registrations r JOIN fastgo.courses k ON k.course = r.course WHERE r.sequence = known;
            IF before.student <> c.student OR before.id <> c.wish THEN
                outcome := 7;
                RETURN NEXT;
                CONTINUE;
            END IF;
        END IF;
        IF before.sequence IS NOT NULL THEN
            outcome := CASE before.status WHEN 2 THEN 2 ELSE 1 END;
            sequence := before.sequence; token := before.token; student := before.student; wish := before.id;
            status := before.status; registered_at := before.registered_at;
            IF before.status = 1 THEN
                place := fastgo.place(before.course, before.sequence, 1);
            END IF;
            RETURN NEXT;
            CONTINUE;
        END IF;
        IF opening IS NULL OR c.arrived < opening THEN
            outcome := 6; opens_at := opening;
            RETURN NEXT;
            CONTINUE;
        END IF;
        last := last + 1;
        INSERT INTO fastgo.registrations (sequence, token, student, course, status, registered_at)
            VALUES (last, c.token, c.student, course_number, (NOT seat)::int, now);
        IF c.key IS NOT NULL THEN
            INSERT INTO fastgo.idempotency_keys (key, sequence) VALUES (c.key, last);
        END IF;
        outcome := 0; sequence := last; token := c.token; student := c.student; wish := c.wish;
        status := (NOT seat)::int; registered_at := now;
        IF NOT seat THEN
            place := line + 1;
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;
