-- KEYS minute, month, holds; ARGV id, tokens, money, hold in ms. Every limit is looked at, then all is written.
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local tokens, money = tonumber(ARGV[2]), tonumber(ARGV[3])
local minute = redis.call("HMGET", KEYS[1], "at", "requests", "tokens")
local month = redis.call("HMGET", KEYS[2], "requests", "tokens", "money", "bytes")
local running = redis.call("ZCARD", KEYS[3])
local at = math.floor(now / 60000)
local requests, used = tonumber(minute[2]) or 0, tonumber(minute[3]) or 0
if tonumber(minute[1]) ~= at then requests, used = 0, 0 end
local limits = {
    { requests + 1, 1e12 }, { used + tokens, 1e14 }, { running + 1, 1e6 }, { (tonumber(month[1]) or 0) + 1, 1e14 },
    { (tonumber(month[2]) or 0) + tokens, 1e15 }, { (tonumber(month[3]) or 0) + money, 1e15 },
    { tonumber(month[4]) or 0, 1e15 },
}
for i, limit in ipairs(limits) do
    if limit[1] > limit[2] then return { 0, i } end
end
redis.call("HSET", KEYS[1], "at", at, "requests", requests + 1, "tokens", used + tokens)
redis.call("ZADD", KEYS[3], now + tonumber(ARGV[4]), ARGV[1])
return { 1, requests + 1, used + tokens }
