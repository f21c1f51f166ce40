-- Puts something into the box of a server, if it lives.
-- ARGV me server fields...
local server = next_argument()
if redis.call('EXISTS', lease(server)) == 0 then return 0 end
local fields = {}
while argument < #ARGV do table.insert(fields, next_argument()) end
redis.call('XADD', box(server), 'MAXLEN', 1024, '*', unpack(fields))
return 1
