-- Renews the lease of this server. Removes what others have here that have been silent for ten seconds
-- without a lease. If all were silent, it was this engine that was away.
local now = tonumber(redis.call('TIME')[1])
for _, id in ipairs(redis.call('SMEMBERS', servers)) do
  if id ~= me and redis.call('EXISTS', lease(id)) == 0 then
    redis.call('HSETNX', room .. ':silent', id, now)
    if now - tonumber(redis.call('HGET', room .. ':silent', id)) >= 10 then
      redis.call('SET', room .. ':removed:' .. id, 1, 'EX', 86400)
      remove(id)
    end
  end
end
if redis.call('GET', lease(me)) ~= 'entered' then return 0 end
return redis.call('PEXPIRE', lease(me), 10000)
