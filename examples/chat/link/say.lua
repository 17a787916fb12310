-- Stores a message, once for each key of a client, and returns its id. Returns "" if the user has no
-- name: that is the one in Redis, because a process that was stopped does not know that another user
-- has the name now.
--
-- log:   the room's messages, numbered without a gap.
-- seen:  the ids and keys of the client's last messages, the newest first.
-- users: see presence.lua.
local log, seen, users = KEYS[1], KEYS[2], KEYS[3]
local user, text, key = ARGV[1], ARGV[2], ARGV[3]
local length, ttl, keys, keep = ARGV[4], ARGV[5], tonumber(ARGV[6]), ARGV[7]
if key ~= "" then
  for _, stored in ipairs(redis.call("LRANGE", seen, 0, -1)) do
    local id, of_key = string.match(stored, "^(%S+) (.*)$")
    if of_key == key then return id end
  end
end
local found = redis.call("HGET", users, user)
local name = found and string.match(found, "^[^\t]*\t[^\t]*\t(.*)$")
if not name then return "" end
-- What is not a message has no number that can be counted on. All clients see a gap then.
local newest = redis.call("XREVRANGE", log, "+", "-", "COUNT", 1)[1]
local before = newest and newest[2][1] == "number" and tonumber(newest[2][2]) or 0
local is_count = before >= 0 and before < 2 ^ 53 and before == math.floor(before)
local number = is_count and before + 1 or 1
local id = redis.call("XADD", log, "MAXLEN", "~", length, "*",
  "number", string.format("%d", number), "name", name, "text", text)
redis.call("EXPIRE", log, ttl)
if key ~= "" then
  redis.call("LPUSH", seen, id .. " " .. key)
  redis.call("LTRIM", seen, 0, keys - 1)
  redis.call("EXPIRE", seen, keep)
end
return id
