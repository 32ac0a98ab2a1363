-- What a metering proxy must do at the least: who calls, one script before, the usage of the answer, one script after.
local cjson = require "cjson.safe"

local M = {}
local redis_port, admit_sha, settle_sha
local callers = {}

local function digest(key)
    return ngx.hmac_sha1("a secret of the benchmark", key)
end

local function send(socket, words)
    local parts = { "*", #words, "\r\n" }
    for _, word in ipairs(words) do
        word = tostring(word)
        parts[#parts + 1] = "$" .. #word .. "\r\n" .. word .. "\r\n"
    end
    return socket:send(parts)
end

local function receive(socket)
    local line, failure = socket:receive("*l")
    if not line then return nil, failure end
    local kind, rest = line:sub(1, 1), line:sub(2)
    if kind == "-" then return nil, rest end
    if kind == ":" then return tonumber(rest) end
    if kind == "$" then
        local text = socket:receive(tonumber(rest))
        socket:receive(2)
        return text
    end
    if kind == "*" then
        local all = {}
        for i = 1, tonumber(rest) do all[i] = receive(socket) end
        return all
    end
    return rest
end

local function ask(...)
    local socket = ngx.socket.tcp()
    socket:settimeout(2000)
    local connected, failure = socket:connect("127.0.0.1", redis_port)
    if not connected then return nil, failure end
    send(socket, { ... })
    local reply, wrong = receive(socket)
    socket:setkeepalive(60000, 1024)
    return reply, wrong
end

local function source(name)
    local file = io.open(ngx.config.prefix() .. name)
    local text = file:read("*a")
    file:close()
    return text
end

function M.start(port)
    redis_port = port
    for i = 0, 9999 do
        callers[digest("sk-peer-" .. i)] = "peer:" .. i
    end
    local admit, settle = source("admit.lua"), source("settle.lua")
    ngx.timer.at(0, function()
        admit_sha = ask("SCRIPT", "LOAD", admit)
        settle_sha = ask("SCRIPT", "LOAD", settle)
    end)
end

function M.admit()
    local key = ngx.var.http_authorization
    local who = key and callers[digest(key:sub(8))]
    if not who then return ngx.exit(401) end
    ngx.req.read_body()
    local asked = cjson.decode(ngx.req.get_body_data())
    if not asked then return ngx.exit(400) end
    local id = ngx.var.request_id
    local tokens = math.ceil(ngx.var.content_length / 4) + (asked.max_tokens or 1000)
    local reply, failure = ask("EVALSHA", admit_sha, 3, who .. ":minute", who .. ":month", who .. ":holds", id, tokens,
        tokens * 600, 60000)
    if not reply then
        ngx.log(ngx.ERR, failure)
        return ngx.exit(503)
    end
    if reply[1] == 0 then return ngx.exit(429) end
    ngx.ctx.call = { who = who, id = id, tokens = tokens, stream = asked.stream, parts = {} }
end

function M.look()
    local call, part = ngx.ctx.call, ngx.arg[1]
    if not call or not part or part == "" then return end
    if not call.stream then
        call.parts[#call.parts + 1] = part
    elseif call.last or part:find('"usage":{', 1, true) then
        call.last = (call.last or "") .. part
    end
end

local function usage_of(call)
    if call.stream then
        local at = call.last and call.last:find('"usage":{', 1, true)
        local to = at and call.last:find("\n", at, true)
        return to and cjson.decode(call.last:sub(at + 8, to - 2))
    end
    local answer = cjson.decode(table.concat(call.parts))
    return answer and answer.usage
end

-- Sockets are not to be had where an answer has ended: a timer does it.
local function write(_, call, usage)
    local used = usage and usage.total_tokens or call.tokens
    local record = cjson.encode({ id = call.id, who = call.who, usage = usage, stream = call.stream })
    ask("EVALSHA", settle_sha, 4, call.who .. ":minute", call.who .. ":month", call.who .. ":holds", "peer:records",
        call.id, call.tokens, used, used * 600, record)
end

function M.settle()
    local call = ngx.ctx.call
    if call then ngx.timer.at(0, write, call, usage_of(call)) end
end

return M
