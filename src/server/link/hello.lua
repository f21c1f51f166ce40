-- Greets the engine: begins an epoch if its process is another than before, and reports what this
-- server has heard or was promised in an earlier one and the stream does not have.
-- KEYS room said   ARGV me run epoch mark fresh
local room, said = KEYS[1], KEYS[2]
local known = redis.call('HMGET', room, 'epoch', 'run', 'total')
local last = redis.call('XREVRANGE', said, '+', '-', 'COUNT', 1)[1]
local last_id = last and last[1] or '0-0'
local total = math.max(tonumber(known[3] or 0), tonumber(last_id:match('^%d+')))
local epoch, mine, mark = known[1], ARGV[3], tonumber(ARGV[4])
if mark >= 2^52 then mark = 0 end
if total >= 2^52 then
  -- Somebody else has written a place that nobody can count on from: the memory begins anew.
  redis.call('DEL', said, KEYS[3])
  epoch, total, last_id = nil, 0, '0-0'
end
local function text(number) return string.format('%.0f', number) end
local function add(id, ...) last_id = redis.call('XADD', said, id, ...) end

if not epoch or known[2] ~= ARGV[2] then
  local old = epoch or mine
  if mine == old then total = math.max(total, mark) end
  add(text(total) .. '-*', 'k', 'epoch', 'w', old)
  epoch = ARGV[5]
  redis.call('HSET', room, 'epoch', epoch, 'run', ARGV[2], 'total', text(total))
  if old ~= '' then redis.call('HSET', room, 'base:' .. old, last_id, 'top:' .. old, text(total)) end
end

if mine ~= epoch and mine ~= '' then
  local top = tonumber(redis.call('HGET', room, 'top:' .. mine) or -1)
  if top < 0 then
    add(text(total) .. '-*', 'k', 'forgotten', 'w', mine)
  elseif mark > top then
    total = total + mark - top
    add(text(total) .. '-0', 'k', 'lost', 'w', mine, 'a', text(top), 'n', text(mark - top))
    redis.call('HSET', room, 'total', text(total), 'top:' .. mine, text(mark))
  end
end

local last_total = tonumber(last_id:match('^%d+'))
return {epoch, last_total < total and text(total) .. '-0' or last_id, redis.call('HGET', room, 'base:' .. mine)}
