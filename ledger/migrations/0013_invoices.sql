-- Invoices: who sells, who pays, what was billed, and what it was for. What is issued is frozen, also for its owner.

create table seller (
    only_one            boolean primary key default true check (only_one),
    name                text not null check (length(name) between 1 and 200),
    address             jsonb not null,
    siren               text,
    siret               text,
    vat_number          text,
    email               text,
    legal_mention       text,
    iban                text,
    bic                 text,
    time_zone           text not null default 'Europe/Paris',
    vat_rate            numeric(5, 2) not null default 20 check (vat_rate between 0 and 99.99),
    vat_franchise       boolean not null default false,
    vat_on_debits       boolean not null default false,
    late_penalty_rate   numeric(5, 2) check (late_penalty_rate between 0 and 99.99),
    payment_terms_days  integer not null default 30 check (payment_terms_days between 0 and 60),
    grace_hours         integer not null default 24 check (grace_hours between 0 and 240),
    invoice_series      text not null default 'FA' check (invoice_series ~ '^[A-Z0-9-]{1,12}$'),
    credit_series       text not null default 'AV' check (credit_series ~ '^[A-Z0-9-]{1,12}$'),
    updated_at          timestamptz not null default now(),
    check (invoice_series <> credit_series)
);

-- Absent: the organization's own name, at the seller's country. payer_id: who pays, if not itself.
create table billing_profile (
    organization_id     text primary key references organization,
    payer_id            text references organization check (payer_id <> organization_id),
    legal_name          text,
    address             jsonb,
    siren               text,
    siret               text,
    vat_number          text,
    vat_confirmed       boolean not null default false,
    is_business         boolean not null default true,
    language            text check (language in ('fr', 'en')),
    vat_exempt          text,
    vat_exempt_code     text,
    payment_terms_days  integer check (payment_terms_days between 0 and 60),
    invoice_email       text,
    buyer_reference     text,
    updated_at          timestamptz not null default now()
);
create index on billing_profile (payer_id) where payer_id is not null;

-- A row per series and year. The row is locked from the taking of a number to the commit: no gap, no double.
create table invoice_series (
    series       text primary key,
    last_number  bigint not null check (last_number >= 0),
    last_day     date not null
);

create table invoice (
    id               text primary key,
    kind             text not null check (kind in ('invoice', 'credit_note')),
    status           text not null check (status in ('draft', 'sent', 'paid', 'overdue', 'cancelled')),
    payer_id         text not null references organization,
    payer_no         bigint not null references organization (no),
    currency         text not null check (currency in ('EUR', 'USD')),
    language         text not null check (language in ('fr', 'en')),
    time_zone        text not null,
    period_start     timestamptz not null,
    period_end       timestamptz not null check (period_end > period_start),
    series           text references invoice_series,
    sequence         bigint check (sequence > 0),
    number           text unique check (number ~ '^[A-Za-z0-9+_/-]{1,35}$'),
    issued_at        timestamptz,
    issued_on        date,
    due_on           date,
    seller           jsonb not null,
    buyer            jsonb not null,
    mentions         jsonb not null,
    payment_terms    text not null,
    bank_iban        text,
    bank_bic         text,
    buyer_reference  text,
    vat_on_debits    boolean not null default false,
    vat_in_euros     jsonb,
    preceding_id     text references invoice,
    reason           text,
    total_requests   bigint not null,
    net              numeric(18, 2) not null,
    vat_total        numeric(18, 2) not null,
    gross            numeric(18, 2) not null,
    gross_eur        numeric(18, 2),
    paid             numeric(18, 2) not null default 0 check (paid >= 0),
    credited         numeric(18, 2) not null default 0 check (credited >= 0),
    paid_at          timestamptz,
    created_at       timestamptz not null default now(),
    computed_at      timestamptz not null,
    unique (series, sequence),
    check (net + vat_total = gross),
    check (gross >= 0 or status = 'draft'),
    check (status = 'draft' or paid <= gross and credited <= gross),
    check ((kind = 'credit_note') = (preceding_id is not null)),
    check ((status = 'draft') = (number is null)),
    check (num_nulls(number, series, sequence, issued_at, issued_on, due_on, gross_eur) in (0, 7)),
    -- Neither two drafts nor two invoices of one payer for the same time; the numbers need no extension as ranges.
    exclude using gist (int8range(payer_no, payer_no, '[]') with &&,
                        int4range((currency = 'USD')::integer, (currency = 'USD')::integer, '[]') with &&,
                        tstzrange(period_start, period_end) with &&)
        where (kind = 'invoice' and status <> 'cancelled')
);
create index on invoice (payer_id, created_at, id);
create index on invoice (created_at, id);
create index on invoice (preceding_id) where preceding_id is not null;
create index on invoice (due_on) where status = 'sent';

create table invoice_line (
    invoice_id       text not null references invoice on delete cascade,
    place            integer not null check (place > 0),
    kind             text not null,
    description      text not null,
    quantity         numeric not null,
    unit             text not null,
    unit_price       numeric(24, 6) not null check (unit_price >= 0),
    base_quantity    numeric not null check (base_quantity > 0),
    net              numeric(18, 2) not null,
    vat_category     text not null,
    vat_rate         numeric(5, 2) not null,
    starts_at        timestamptz not null,
    ends_at          timestamptz not null check (ends_at > starts_at),
    organization_id  text not null references organization,
    organization_name  text,
    project          text,
    model            text,
    span_start       timestamptz,
    primary key (invoice_id, place),
    check (abs(quantity * unit_price / base_quantity - net) <= 0.005)
);

create index on invoice_line (organization_id, span_start) where span_start is not null;

create table invoice_vat (
    invoice_id      text not null references invoice on delete cascade,
    category        text not null,
    rate            numeric(5, 2) not null,
    base            numeric(18, 2) not null,
    amount          numeric(18, 2) not null,
    exemption_code  text,
    exemption       text,
    primary key (invoice_id, category, rate)
);

-- What was sent, byte for byte. Here and not in files: written with the number, in one transaction, and backed up and
-- replicated with it.
create table invoice_document (
    invoice_id   text primary key references invoice,
    pdf          bytea not null,
    xml          bytea not null,
    pdf_sha256   bytea not null check (pdf_sha256 = sha256(pdf)),
    rendered_at  timestamptz not null
);
alter table invoice_document alter pdf set storage external;

create table invoice_payment (
    invoice_id   text not null references invoice,
    reference    text not null check (length(reference) between 1 and 200),
    amount       numeric(18, 2) not null check (amount > 0),
    paid_on      date not null,
    recorded_at  timestamptz not null,
    actor        text not null,
    primary key (invoice_id, reference)
);

-- Time that is billed, once for each organization and currency; without an invoice where there was nothing to pay.
-- carried: what it came to was, or still is, to be taken into account by a later invoice.
create table closing (
    id           bigint generated always as identity primary key,
    payer_id     text not null references organization,
    currency     text not null check (currency in ('EUR', 'USD')),
    invoice_id   text unique references invoice,
    closed_at    timestamptz not null,
    replaced_by  bigint references closing
);
create index on closing (payer_id);

create table closing_span (
    closing_id       bigint not null references closing,
    organization_id  text not null references organization,
    organization_no  bigint not null references organization (no),
    currency         text not null check (currency in ('EUR', 'USD')),
    starts_at        timestamptz not null,
    ends_at          timestamptz not null check (ends_at > starts_at),
    cancelled        boolean not null default false,
    carried          boolean not null default false,
    primary key (closing_id, organization_id, starts_at),
    exclude using gist (int8range(organization_no, organization_no, '[]') with &&,
                        int4range((currency = 'USD')::integer, (currency = 'USD')::integer, '[]') with &&,
                        tstzrange(starts_at, ends_at) with &&) where (not cancelled)
);
create index on closing_span (organization_id);

-- What each closing billed, by day of use (of UTC, cut at the span's ends). Usage that came later is what the sums of
-- usage have more than this.
create table invoice_usage (
    closing_id       bigint not null,
    organization_id  text not null,
    span_start       timestamptz not null,
    starts_at        timestamptz not null check (starts_at >= span_start),
    project_id       text not null,
    model            text not null,
    requests         bigint not null check (requests > 0),
    tokens           bigint not null check (tokens >= 0),
    price_nano       bigint not null,
    primary key (closing_id, organization_id, span_start, starts_at, project_id, model)
);
create index on invoice_usage (organization_id, span_start);

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% of % is refused: what is issued stays', tg_op, tg_table_name using errcode = 'restrict_violation';
end $$;

-- A draft may be anything. What is issued must add up, and then only its payments, credits and status go on.
create function guard_invoice() returns trigger language plpgsql as $$
declare
    fluid constant text[] := array['status', 'paid', 'credited', 'paid_at'];
begin
    if tg_op = 'INSERT' then
        if new.status <> 'draft' then
            raise exception 'an invoice begins as a draft' using errcode = 'restrict_violation';
        end if;
        return new;
    end if;
    if tg_op = 'DELETE' then
        if old.status <> 'draft' then
            raise exception '% is issued and stays', old.number using errcode = 'restrict_violation';
        end if;
        return old;
    end if;
    if old.status = 'draft' then
        if new.status not in ('draft', 'sent') then
            raise exception 'a draft is issued first' using errcode = 'restrict_violation';
        end if;
        if new.status = 'sent' then
            perform check_issued(new);
        end if;
        return new;
    end if;
    if to_jsonb(old) - fluid is distinct from to_jsonb(new) - fluid then
        raise exception '% is issued: its content stays', old.number using errcode = 'restrict_violation';
    end if;
    if new.paid < old.paid or new.credited < old.credited
            or (old.paid_at is not null and new.paid_at is distinct from old.paid_at)
            or (old.status, new.status) not in (
                ('sent', 'sent'), ('sent', 'paid'), ('sent', 'overdue'), ('sent', 'cancelled'),
                ('overdue', 'overdue'), ('overdue', 'paid'), ('overdue', 'cancelled'),
                ('paid', 'paid'), ('paid', 'cancelled'), ('cancelled', 'cancelled')) then
        raise exception '% can not go back from % to %', old.number, old.status, new.status
            using errcode = 'restrict_violation';
    end if;
    return new;
end $$;

create function check_issued(issued invoice) returns void language plpgsql as $$
begin
    if not exists (select from invoice_document where invoice_id = issued.id)
            or not exists (select from invoice_line where invoice_id = issued.id) then
        raise exception '% lacks its document or its lines', issued.number using errcode = 'check_violation';
    end if;
    if exists (
        select from (select vat_category, vat_rate, sum(net) as base from invoice_line
                     where invoice_id = issued.id group by vat_category, vat_rate) lines
        full join (select category, rate, base from invoice_vat where invoice_id = issued.id) shares
            on category = vat_category and rate = vat_rate
        where lines.base is distinct from shares.base)
            or not exists (select from invoice_vat where invoice_id = issued.id
                           having (sum(base), sum(amount)) = (issued.net, issued.vat_total)) then
        raise exception '% does not add up', issued.number using errcode = 'check_violation';
    end if;
    if not exists (select from invoice_series where series = issued.series
                   and (last_number, last_day) = (issued.sequence, issued.issued_on)) then
        raise exception '% is not the next of its series', issued.number using errcode = 'check_violation';
    end if;
    if issued.kind = 'credit_note' and exists (
        select from (select category, rate, sum(base) as base, sum(amount) as amount
                     from invoice_vat join invoice note on note.id = invoice_id
                     where note.preceding_id = issued.preceding_id and (note.id = issued.id or note.status <> 'draft')
                     group by category, rate) credited
        left join (select category, rate, base, amount from invoice_vat
                   where invoice_id = issued.preceding_id) billed using (category, rate)
        where abs(credited.base) > abs(coalesce(billed.base, 0))
            or abs(credited.amount) > abs(coalesce(billed.amount, 0))) then
        raise exception '% credits more than was billed', issued.number using errcode = 'check_violation';
    end if;
end $$;

create function guard_part() returns trigger language plpgsql as $$
declare
    of_invoice constant text := coalesce(to_jsonb(new), to_jsonb(old)) ->> 'invoice_id';
    is_draft   boolean;
begin
    select status = 'draft' into is_draft from invoice where id = of_invoice;
    -- None: the draft itself is being deleted.
    if not coalesce(is_draft, tg_op = 'DELETE') then
        raise exception '% is issued: its content stays', of_invoice using errcode = 'restrict_violation';
    end if;
    return coalesce(new, old);
end $$;

create function guard_series() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' and new.last_number <> 0
            or tg_op = 'UPDATE' and (new.series <> old.series or new.last_number <> old.last_number + 1
                                     or new.last_day < old.last_day) then
        raise exception 'numbers of % go up by one, and days never back', new.series
            using errcode = 'restrict_violation';
    end if;
    return new;
end $$;

-- At the commit: no number without its invoice.
create function check_number_used() returns trigger language plpgsql as $$
begin
    if not exists (select from invoice where series = new.series and sequence = new.last_number) then
        raise exception 'number % of % was taken by no invoice', new.last_number, new.series
            using errcode = 'check_violation';
    end if;
    return null;
end $$;

create function guard_closing() returns trigger language plpgsql as $$
begin
    if to_jsonb(old) - 'replaced_by' is distinct from to_jsonb(new) - 'replaced_by' or old.replaced_by is not null then
        raise exception 'what is billed stays billed' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;

create function guard_span() returns trigger language plpgsql as $$
begin
    if to_jsonb(old) - array['cancelled', 'carried'] is distinct from to_jsonb(new) - array['cancelled', 'carried']
            or old.cancelled > new.cancelled or old.carried > new.carried then
        raise exception 'what is billed stays billed' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;

create trigger guard before insert or update or delete on invoice for each row execute function guard_invoice();
create trigger guard before insert or update or delete on invoice_line for each row execute function guard_part();
create trigger guard before insert or update or delete on invoice_vat for each row execute function guard_part();
create trigger guard before insert on invoice_document for each row execute function guard_part();
create trigger stay before update or delete on invoice_document for each row execute function refuse_change();
create trigger stay before update or delete on invoice_payment for each row execute function refuse_change();
create trigger guard before insert or update on invoice_series for each row execute function guard_series();
create trigger stay before delete on invoice_series for each row execute function refuse_change();
create constraint trigger used after update on invoice_series deferrable initially deferred
    for each row execute function check_number_used();
create trigger guard before update on closing for each row execute function guard_closing();
create trigger stay before delete on closing for each row execute function refuse_change();
create trigger guard before update on closing_span for each row execute function guard_span();
create trigger stay before delete on closing_span for each row execute function refuse_change();
create trigger stay before update or delete on invoice_usage for each row execute function refuse_change();

do $$
declare
    guarded text;
    rule text;
begin
    foreach guarded in array array['invoice', 'invoice_line', 'invoice_vat', 'invoice_document', 'invoice_payment',
                                   'invoice_series', 'closing', 'closing_span', 'invoice_usage'] loop
        execute format('create trigger whole before truncate on %I execute function refuse_change()', guarded);
        -- Also where a session asks for no triggers.
        for rule in select tgname from pg_trigger where tgrelid = guarded::regclass and not tgisinternal loop
            execute format('alter table %I enable always trigger %I', guarded, rule);
        end loop;
    end loop;
end $$;
