-- Keeps users for another lease, and removes those of processes that have ended. Returns those that are
-- not there any more.
local lease, ttl = ARGV[1], ARGV[2]
local lost = {}
for at = 3, #ARGV do
  if redis.call("HEXISTS", users, ARGV[at]) == 1 then
    redis.call("ZADD", leases, now() + lease, ARGV[at])
  else
    lost[#lost + 1] = ARGV[at]
  end
end
sweep()
keep(ttl)
-- The log of a room in which somebody is stays too.
redis.call("EXPIRE", KEYS[5], ttl)
return lost
