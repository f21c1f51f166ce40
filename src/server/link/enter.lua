-- Lets this server in, again or for the first time: takes its names, and returns which of them
-- others have got meanwhile. It has entered with the last part.
-- ARGV me part name...
local part = next_argument()
local is_first, is_last = part == 'first' or part == 'only', part == 'last' or part == 'only'
if is_first then
  redis.call('DEL', names(me), here(me))
  -- If others have announced that its people have left, they come back.
  local was_removed = redis.call('DEL', room .. ':removed:' .. me) == 1
  redis.call('SET', lease(me), was_removed and 'returning' or 'entering', 'PX', 10000)
  redis.call('SADD', servers, me)
  redis.call('HDEL', room .. ':silent', me)
end
local lost, number = {}, 0
while argument < #ARGV do
  local name = next_name()
  number = number + 1
  if obstacle(name, {}) then table.insert(lost, number) else take(name, now() + number / 1000000) end
end
local state = redis.call('GET', lease(me))
if not state then return {0, {}} end
if is_last then
  if state == 'returning' then announce(me, '+') end
  redis.call('SET', lease(me), 'entered', 'PX', 10000)
end
return {1, lost}
