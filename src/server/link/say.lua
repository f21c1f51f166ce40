-- Says a batch of lines. Tries it only under the epoch, and with the engine process, that the
-- server has greeted; only while the server has its names; and never twice.
-- KEYS room said marks   ARGV me epoch run first n text
local by = KEYS[1] .. ':by:' .. ARGV[1]
local known = redis.call('HMGET', KEYS[1], 'epoch', 'run', 'total')
if known[1] ~= ARGV[2] or known[2] ~= ARGV[3] then return {'epoch', 0} end
if redis.call('GET', KEYS[1] .. ':lease:' .. ARGV[1]) ~= 'entered' then return {'lapsed', 0} end
if tonumber(ARGV[4]) <= tonumber(redis.call('GET', by) or 0) then return {'said', tonumber(known[3])} end

-- The first write: if there is no memory it fails, and nothing is done.
local id = append(ARGV[5], '-0', #ARGV[6], 'p', ARGV[1], 'f', ARGV[4], 'n', ARGV[5],
  't', redis.call('TIME')[1], 'x', ARGV[6])
if type(id) == 'table' then return id end
redis.call('SET', by, string.format('%.0f', ARGV[4] + ARGV[5] - 1), 'EX', 86400)
return {'said', tonumber(id:match('^%d+'))}
