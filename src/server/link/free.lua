-- Gives names of this server free, unless they are so already.
-- ARGV me name...
while argument < #ARGV do
  local name = next_name()
  if redis.call('ZREM', here(me), name.shown) == 1 then
    for _, text in ipairs(name.keys) do
      if text ~= '' and redis.call('HINCRBY', names(me), 'k:' .. text, -1) <= 0 then
        redis.call('HDEL', names(me), 'k:' .. text)
      end
    end
    if redis.call('HGET', names(me), 't:' .. name.typed) == name.shown then
      redis.call('HDEL', names(me), 't:' .. name.typed)
    end
  end
end
return 1
