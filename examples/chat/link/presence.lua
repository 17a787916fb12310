-- Who is in a room, in any process. Every script on presence begins with this.
--
-- names:  look of a name -> user. Names that look the same are the same.
-- users:  user -> client, look and name, with tabs between. A user is a visitor of one process.
-- leases: when each user is removed unless its process says that it is still there.
-- events: tells all processes what has changed.
local leases, users, names, events = KEYS[1], KEYS[2], KEYS[3], KEYS[4]

local function now()
  local time = redis.call("TIME")
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function tell(kind, user, name)
  redis.call("XADD", events, "MAXLEN", "~", 200, "*", "kind", kind, "user", user, "name", name)
end

local function client_of(user)
  local found = redis.call("HGET", users, user)
  return found and string.match(found, "^([^\t]*)")
end

local function remove(user)
  local found = redis.call("HGET", users, user)
  redis.call("ZREM", leases, user)
  if not found then return false end
  local look = string.match(found, "^[^\t]*\t([^\t]*)")
  redis.call("HDEL", users, user)
  if redis.call("HGET", names, look) == user then redis.call("HDEL", names, look) end
  return true
end

-- Removes users whose process has ended, or was stopped for too long.
local function sweep()
  local gone = redis.call("ZRANGEBYSCORE", leases, "-inf", now(), "LIMIT", 0, 5000)
  for _, user in ipairs(gone) do remove(user) end
  if #gone > 0 then tell("left", "", "") end
end

local function keep(ttl)
  for _, key in ipairs(KEYS) do redis.call("EXPIRE", key, ttl) end
end
