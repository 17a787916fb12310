-- Gives a user the first of the names that is free, and returns it. Returns "" if the user had the
-- first name before its lease ended, and a newer connection of its client has it now.
local user, client, mode, lease, ttl = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
sweep()
remove(user)
for at = 6, #ARGV, 2 do
  local name, look = ARGV[at], ARGV[at + 1]
  local holder = redis.call("HGET", names, look)
  if holder and at == 6 and client_of(holder) == client then
    if mode == "again" then return "" end
    remove(holder)
    tell("replaced", holder, "")
    holder = false
  end
  if not holder then
    redis.call("HSET", names, look, user)
    redis.call("HSET", users, user, client .. "\t" .. look .. "\t" .. name)
    redis.call("ZADD", leases, now() + lease, user)
    tell("username", user, name)
    keep(ttl)
    return name
  end
end
return redis.error_reply("ERR no name is free")
