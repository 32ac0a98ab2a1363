-- admit: may this request pass, and what does it hold? Every limit of every scope, or nothing is written.
--
-- KEYS  1 the hold   2 the partition's holds (zset, by expiry in ms)   3 the partition's epoch
--       then for each scope: its live counters, its counters of this period, its counters of the next period
--       for a call that adds to what the organization keeps upstream: what that keeps
-- ARGV  1 request id   2 latest Redis time in ms at which the caller still waits (0: for ever)
--       3 hold's time to live in ms   4 period start   5 period end   6 next period's end (ms)
--       7 output tokens wanted   8 least output tokens that are worth admitting   9 who and what, for the sweep
--       10 1, or 0 for work that the provider does when it suits it: it takes no place among the concurrent, and only
--       its request counts in the minute
--       11 number of measures; for each: name, amount without output, amount per output token
--       then for each scope: limit of concurrent requests, and for each measure its limits per minute and per
--       period; -1 is unlimited
--       for a call that adds to what is kept upstream: limit in bytes, and bytes wanted; -1 for all that is left
--
-- reply {1, now, start of the period booked, bucket, output tokens granted,
--           then for each scope and measure: used in the minute, used and held in the period,
--           then bytes held of what may be kept upstream, where that was asked}
--       {0, now, scope (from 1), 'concurrent' | 'minute' | 'period' | 'stored', measure, limit, used and held, wanted,
--           ms to wait}
--       {-1, now}         the caller's period is over or not begun: plan again with this time
--       {-2, now, start}  counters of that period are not there: rebuild them from the ledger, then ask again
--       {-4, now}         what is kept upstream must be counted anew before this can be refused or, for lack of a
--                         count, admitted
--       {-5, now}         closed: Redis has lost the partition's data, and not all of it is back (see epoch.lua)
--       {-3, now}         too late, nobody waits for the answer any more, or it was given up already
--
-- Rule: an amount is linear in the output; the output granted is the most that every limit has room for, at most
-- what is wanted. Committed counters and holds are apart: x is used, hx is held. For the minute see minute.lua.

local COUNT_FOR = 60000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local latest = tonumber(ARGV[2])
if latest > 0 and now > latest or redis.call('EXISTS', KEYS[1]) == 1 then return {-3, now} end
if redis.call('HEXISTS', KEYS[3], 'open') == 0 then return {-5, now} end

local start, turn, finish = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
if now < start or now >= finish then return {-1, now} end
local later = 0
if now >= turn then start, later = turn, 1 end

local wanted, least = tonumber(ARGV[7]), tonumber(ARGV[8])
local paced = ARGV[10] == '1'
local measures, base, per_output, arg = {}, {}, {}, 12
for m = 1, tonumber(ARGV[11]) do
  measures[m], base[m], per_output[m] = ARGV[arg], tonumber(ARGV[arg + 1]), tonumber(ARGV[arg + 2])
  arg = arg + 3
end
local count = #measures
local function in_minute(m) return paced or measures[m] == 'r' end
local scopes = math.floor((#KEYS - 3) / 3)
local storage = #KEYS % 3 == 1 and KEYS[#KEYS]
local bucket = math.floor(now / BUCKET)
local slot = bucket % SLOTS

-- The time until `excess` has left the minute, in ms.
local function wait(key, measure, excess)
  for b = bucket - SLOTS + 1, bucket do
    excess = excess - (tonumber(redis.call('HGET', key, measure .. (b % SLOTS))) or 0)
    if excess <= 0 then return (b + SLOTS) * BUCKET - now end
  end
  return -1
end

local granted = wanted
local refusal
local live, period = {}, {}

-- Narrows the grant to what one limit leaves room for; false when even the least doesn't fit.
local function fit(scope, window, m, limit, used)
  local room = limit - used - base[m]
  local most = wanted
  if per_output[m] > 0 then most = math.floor(room / per_output[m]) elseif room < 0 then most = -1 end
  if room < 0 or most < least then
    refusal = {scope, window, m, limit, used, base[m] + least * per_output[m]}
    return false
  end
  if most < granted then granted = most end
  return true
end

local function judge()
  for s = 1, scopes do
    local key = KEYS[3 * s + 1]
    local limit = tonumber(ARGV[arg])
    roll(key, bucket, measures)
    local fields = {'c'}
    for m = 1, count do
      fields[#fields + 1] = measures[m]
      fields[#fields + 1] = measures[m] .. slot
    end
    live[s] = redis.call('HMGET', key, unpack(fields))
    local running = tonumber(live[s][1]) or 0
    if paced and limit >= 0 and running + 1 > limit then
      refusal = {s, 'concurrent', 1, limit, running, 1}
      return
    end
    fields = {'s'}
    for m = 1, count do
      fields[#fields + 1] = measures[m]
      fields[#fields + 1] = 'h' .. measures[m]
    end
    period[s] = redis.call('HMGET', KEYS[3 * s + 2 + later], unpack(fields))
    if not period[s][1] then refusal = 'unknown' return end
    for m = 1, count do
      local minute, month = tonumber(ARGV[arg + 2 * m - 1]), tonumber(ARGV[arg + 2 * m])
      local passed = tonumber(live[s][2 * m]) or 0
      local used = (tonumber(period[s][2 * m]) or 0) + (tonumber(period[s][2 * m + 1]) or 0)
      if minute >= 0 and in_minute(m) and not fit(s, 'minute', m, minute, passed) then return end
      if month >= 0 and not fit(s, 'period', m, month, used) then return end
    end
    arg = arg + 1 + 2 * count
  end
end

-- Deletions and what expires are not taken off at once: who would be refused is judged by a fresh count.
local stored, storing = {}, 0
local function judge_storage()
  local limit, wanted = tonumber(ARGV[arg]), tonumber(ARGV[arg + 1])
  stored = redis.call('HMGET', storage, 's', 'k', 'hk', 'u', 'at')
  storing = math.max(0, wanted)
  if limit < 0 then return end
  local kept = (tonumber(stored[2]) or 0) + (tonumber(stored[3]) or 0)
  local need = wanted < 0 and 1 or wanted
  if not stored[1] or kept + need > limit and (stored[4] or now - tonumber(stored[5]) > COUNT_FOR) then
    refusal = 'uncounted'
  elseif kept + need > limit then
    refusal = {1, 'stored', 0, limit, kept, need}
  elseif wanted < 0 then
    storing = limit - kept
  end
end

judge()
if not refusal and storage then judge_storage() end
if refusal == 'uncounted' then return {-4, now} end
if refusal == 'unknown' then return {-2, now, start} end
if refusal then
  local s, window, m, limit, used, need = unpack(refusal)
  local ms = -1
  if window == 'minute' and need <= limit then ms = wait(KEYS[3 * s + 1], measures[m], used + need - limit) end
  if window == 'period' then ms = (later == 1 and finish or turn) - now end
  return {0, now, s, window, measures[m] or 'k', integer(limit), integer(used), integer(need), ms}
end

local hold = {'start', integer(start), 'bucket', bucket, 'at', now, 'paced', ARGV[10], 'what', ARGV[9]}
local amounts = {}
for m = 1, count do
  amounts[m] = base[m] + granted * per_output[m]
  hold[#hold + 1] = measures[m]
  hold[#hold + 1] = integer(amounts[m])
end
local reply = {1, now, start, bucket, granted}
for s = 1, scopes do
  local change = {'c', (tonumber(live[s][1]) or 0) + (paced and 1 or 0)}
  local held = {}
  for m = 1, count do
    local passes = in_minute(m) and amounts[m] or 0
    local minute = (tonumber(live[s][2 * m]) or 0) + passes
    local used, holding = tonumber(period[s][2 * m]) or 0, (tonumber(period[s][2 * m + 1]) or 0) + amounts[m]
    if passes > 0 then
      change[#change + 1] = measures[m]
      change[#change + 1] = integer(minute)
      change[#change + 1] = measures[m] .. slot
      change[#change + 1] = integer((tonumber(live[s][2 * m + 1]) or 0) + passes)
    end
    if amounts[m] > 0 then
      held[#held + 1] = 'h' .. measures[m]
      held[#held + 1] = integer(holding)
    end
    reply[#reply + 1] = minute
    reply[#reply + 1] = used + holding
  end
  redis.call('HSET', KEYS[3 * s + 1], unpack(change))
  redis.call('HSET', KEYS[3 * s + 2 + later], unpack(held))
end
if storage then
  redis.call('HSET', storage, 'hk', integer((tonumber(stored[3]) or 0) + storing))
  hold[#hold + 1] = 'k'
  hold[#hold + 1] = integer(storing)
  reply[#reply + 1] = storing
end
redis.call('HSET', KEYS[1], unpack(hold))
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[3]), ARGV[1])
return reply
