-- Sums of usage by hour and by day, kept by the statement that changes the rows: whoever sees a row sees its sums.
-- Hours and days are those of UTC, so that nothing hangs on a time zone, which may change: a period of any calendar is
-- whole days, the hours at its edges and, where it is cut in the middle of an hour, rows.
-- Where a row has no project, key or member it is '' here. `requests` are calls of customers; `records` are more where
-- one call used several models. `first_byte_ms` is known of `first_bytes`. `latencies` counts durations by the bounds
-- below. `key` stands for the columns after it, which together may be longer than an index takes.
create table usage_sum (
    span                 text not null,
    organization_id      text not null,
    starts_at            timestamptz not null,
    key                  bytea not null,
    project_id           text not null,
    key_id               text not null,
    member_id            text not null,
    endpoint             text not null,
    model                text not null,
    upstream             text not null,
    stream               boolean not null,
    status               smallint not null,
    outcome              text not null,
    currency             text not null,
    records              bigint not null,
    requests             bigint not null,
    input_tokens         bigint not null,
    cached_input_tokens  bigint not null,
    cache_write_tokens   bigint not null,
    output_tokens        bigint not null,
    reasoning_tokens     bigint not null,
    audio_input_tokens   bigint not null,
    audio_output_tokens  bigint not null,
    image_input_tokens   bigint not null,
    image_output_tokens  bigint not null,
    cost_nano_usd        bigint not null,
    cost_nano_eur        bigint not null,
    price_nano           bigint not null,
    price_nano_tokens    bigint not null,
    price_nano_eur       bigint not null,
    request_bytes        bigint not null,
    response_bytes       bigint not null,
    duration_ms          bigint not null,
    first_byte_ms        bigint not null,
    first_bytes          bigint not null,
    latencies            integer[] not null,
    quantities           jsonb not null,
    primary key (span, organization_id, starts_at, key)
) partition by list (span);
create index on usage_sum (starts_at);
-- Room on each page, so that what grows stays where it is.
create table usage_hour partition of usage_sum for values in ('hour') with (fillfactor = 70);
create table usage_day partition of usage_sum for values in ('day') with (fillfactor = 70);

-- In milliseconds; the last count is of what lasted longer.
create function usage_latency_bounds() returns integer[] language sql immutable parallel safe return
    array[50, 100, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000, 7500, 10000, 15000, 20000, 30000, 60000, 120000];

-- Not strict, so that it is inlined.
create function usage_latencies_add(a integer[], b integer[]) returns integer[]
    language sql immutable parallel safe return array[
        a[1] + b[1], a[2] + b[2], a[3] + b[3], a[4] + b[4], a[5] + b[5], a[6] + b[6], a[7] + b[7], a[8] + b[8],
        a[9] + b[9], a[10] + b[10], a[11] + b[11], a[12] + b[12], a[13] + b[13], a[14] + b[14], a[15] + b[15],
        a[16] + b[16], a[17] + b[17], a[18] + b[18], a[19] + b[19]
    ];
create function usage_latencies_of(ms integer) returns integer[] language sql immutable parallel safe return
    array_fill(0, array[width_bucket(ms, usage_latency_bounds())])
    || 1 || array_fill(0, array[cardinality(usage_latency_bounds()) - width_bucket(ms, usage_latency_bounds())]);
create aggregate usage_latencies_sum(integer[]) (
    sfunc = usage_latencies_add, stype = integer[], combinefunc = usage_latencies_add, parallel = safe,
    initcond = '{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}'
);

create function usage_quantities_add(a jsonb, b jsonb) returns jsonb language sql immutable parallel safe return
    case
        when b = '{}' then a
        when a = '{}' then b
        else (
            select coalesce(jsonb_object_agg(name, amount), '{}')
            from (
                select name, sum(value::numeric) as amount
                from (select * from jsonb_each_text(a) union all select * from jsonb_each_text(b)) as t (name, value)
                group by name
            ) as summed
            where amount <> 0
        )
    end;
create aggregate usage_quantities_sum(jsonb) (
    sfunc = usage_quantities_add, stype = jsonb, combinefunc = usage_quantities_add, parallel = safe, initcond = '{}'
);

-- Adds the rows of `changed` to the sums or, with the argument -1, takes them away. In one order always, so that two
-- who add to the same sums wait for one another and never each for the other.
create function usage_roll_up() returns trigger language plpgsql as $$
declare
    sign constant integer := tg_argv[0];
begin
    insert into usage_sum as known (
        span, organization_id, starts_at, key, project_id, key_id, member_id, endpoint, model, upstream, stream,
        status, outcome, currency, records, requests, input_tokens, cached_input_tokens, cache_write_tokens,
        output_tokens, reasoning_tokens, audio_input_tokens, audio_output_tokens, image_input_tokens,
        image_output_tokens, cost_nano_usd, cost_nano_eur, price_nano, price_nano_tokens, price_nano_eur,
        request_bytes, response_bytes, duration_ms, first_byte_ms, first_bytes, latencies, quantities
    )
    select
        case when grouping(hour) = 0 then 'hour' else 'day' end, organization_id, coalesce(hour, day),
        sha256(convert_to(row(project_id, key_id, member_id, endpoint, model,
            upstream, stream, status, outcome, currency)::text, 'UTF8')),
        project_id, key_id, member_id, endpoint, model, upstream, stream, status, outcome, currency,
        sign * count(*), sign * count(*) filter (where strpos(request_id, '.') = 0),
        sign * sum(input_tokens), sign * sum(cached_input_tokens), sign * sum(cache_write_tokens),
        sign * sum(output_tokens), sign * sum(reasoning_tokens), sign * sum(audio_input_tokens),
        sign * sum(audio_output_tokens), sign * sum(image_input_tokens), sign * sum(image_output_tokens),
        sign * sum(cost_nano_usd), sign * sum(cost_nano_eur), sign * sum(price_nano), sign * sum(price_nano_tokens),
        sign * sum(price_nano_eur), sign * sum(request_bytes), sign * sum(response_bytes), sign * sum(duration_ms),
        sign * coalesce(sum(first_byte_ms), 0), sign * count(first_byte_ms),
        array[
            sign * count(*) filter (where latency = 0), sign * count(*) filter (where latency = 1),
            sign * count(*) filter (where latency = 2), sign * count(*) filter (where latency = 3),
            sign * count(*) filter (where latency = 4), sign * count(*) filter (where latency = 5),
            sign * count(*) filter (where latency = 6), sign * count(*) filter (where latency = 7),
            sign * count(*) filter (where latency = 8), sign * count(*) filter (where latency = 9),
            sign * count(*) filter (where latency = 10), sign * count(*) filter (where latency = 11),
            sign * count(*) filter (where latency = 12), sign * count(*) filter (where latency = 13),
            sign * count(*) filter (where latency = 14), sign * count(*) filter (where latency = 15),
            sign * count(*) filter (where latency = 16), sign * count(*) filter (where latency = 17),
            sign * count(*) filter (where latency = 18)
        ],
        coalesce(usage_quantities_sum(quantities) filter (where quantities <> '{}'), '{}')
    from (
        select
            request_id, organization_id, coalesce(project_id, '') as project_id, coalesce(key_id, '') as key_id,
            coalesce(member_id, '') as member_id, endpoint, model, upstream, stream, status, outcome, currency,
            date_trunc('hour', occurred_at, 'UTC') as hour, date_trunc('day', occurred_at, 'UTC') as day,
            input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
            audio_input_tokens, audio_output_tokens, image_input_tokens, image_output_tokens, cost_nano_usd,
            cost_nano_eur, price_nano, price_nano_tokens, price_nano_eur, request_bytes, response_bytes, duration_ms,
            first_byte_ms, width_bucket(duration_ms, usage_latency_bounds()) as latency,
            case
                when quantities = '{}' or sign = 1 then quantities
                else (select jsonb_object_agg(name, -n::numeric) from jsonb_each_text(quantities) as t (name, n))
            end as quantities
        from changed
    ) as changes
    group by
        organization_id, project_id, key_id, member_id, endpoint, model, upstream,
        stream, status, outcome, currency, grouping sets ((hour), (day))
    order by 1, 2, 3, 4
    on conflict (span, organization_id, starts_at, key) do update set
        records = known.records + excluded.records, requests = known.requests + excluded.requests,
        input_tokens = known.input_tokens + excluded.input_tokens,
        cached_input_tokens = known.cached_input_tokens + excluded.cached_input_tokens,
        cache_write_tokens = known.cache_write_tokens + excluded.cache_write_tokens,
        output_tokens = known.output_tokens + excluded.output_tokens,
        reasoning_tokens = known.reasoning_tokens + excluded.reasoning_tokens,
        audio_input_tokens = known.audio_input_tokens + excluded.audio_input_tokens,
        audio_output_tokens = known.audio_output_tokens + excluded.audio_output_tokens,
        image_input_tokens = known.image_input_tokens + excluded.image_input_tokens,
        image_output_tokens = known.image_output_tokens + excluded.image_output_tokens,
        cost_nano_usd = known.cost_nano_usd + excluded.cost_nano_usd,
        cost_nano_eur = known.cost_nano_eur + excluded.cost_nano_eur,
        price_nano = known.price_nano + excluded.price_nano,
        price_nano_tokens = known.price_nano_tokens + excluded.price_nano_tokens,
        price_nano_eur = known.price_nano_eur + excluded.price_nano_eur,
        request_bytes = known.request_bytes + excluded.request_bytes,
        response_bytes = known.response_bytes + excluded.response_bytes,
        duration_ms = known.duration_ms + excluded.duration_ms,
        first_byte_ms = known.first_byte_ms + excluded.first_byte_ms,
        first_bytes = known.first_bytes + excluded.first_bytes,
        latencies = usage_latencies_add(known.latencies, excluded.latencies),
        quantities = usage_quantities_add(known.quantities, excluded.quantities);
    if sign < 0 then
        delete from usage_sum where records = 0 and (organization_id, date_trunc('day', starts_at, 'UTC')) in (
            select organization_id, date_trunc('day', occurred_at, 'UTC') from changed
        );
    end if;
    return null;
end
$$;

create trigger usage_entered after insert on usage
    referencing new table as changed for each statement execute function usage_roll_up('1');
create trigger usage_removed after delete on usage
    referencing old table as changed for each statement execute function usage_roll_up('-1');
create trigger usage_was after update on usage
    referencing old table as changed for each statement execute function usage_roll_up('-1');
create trigger usage_became after update on usage
    referencing new table as changed for each statement execute function usage_roll_up('1');

-- What was there before, day by day: the same function sums up the rows of a table that they are copied to.
create temporary table usage_before (like usage) on commit drop;
create trigger usage_entered after insert on usage_before
    referencing new table as changed for each statement execute function usage_roll_up('1');
do $$
declare
    day timestamptz := (select date_trunc('day', min(occurred_at), 'UTC') from usage);
    latest constant timestamptz := (select max(occurred_at) from usage);
begin
    lock table usage in share row exclusive mode;
    while day <= latest loop
        insert into usage_before select * from usage where occurred_at >= day and occurred_at < day + interval '1 day';
        truncate usage_before;
        day := day + interval '1 day';
    end loop;
end
$$;
