-- Takes the first of some names if it is free, or with `any` the first that is. It may have done so
-- before, if this server did not get the answer. Otherwise returns which of them is free, and whether a
-- server that was not heard of lately is in the way.
-- ARGV me any earlier own... name...
local any = next_argument() == 'any'
-- Whoever takes another name has been here as long as before.
local since = redis.call('ZSCORE', here(me), next_argument()) or now()
local own = {}
for _, text in ipairs(next_texts()) do own[text] = (own[text] or 0) + 1 end
if redis.call('GET', lease(me)) ~= 'entered' then return {'lapsed', 0, 0} end
local number, in_the_way = 0, nil
while argument < #ARGV do
  local name = next_name()
  number = number + 1
  local may_take = number == 1 or any
  if may_take and redis.call('ZSCORE', here(me), name.shown) then return {'taken', number, 0} end
  local id = obstacle(name, own)
  if not id then
    if may_take then
      take(name, since)
      return {'taken', number, 0}
    end
    return {'free', number, redis.call('PTTL', lease(in_the_way)) < 6000 and 1 or 0}
  end
  in_the_way = in_the_way or id
end
return {'none', 0, 0}
