-- Announces who came and went. No message is counted for it.
-- KEYS room said   ARGV me epoch text
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[2] then return 0 end
local id = append(0, '-*', #ARGV[3], 'k', 'change', 'x', ARGV[3])
return type(id) == 'table' and id or 1
