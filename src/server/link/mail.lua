-- Finds who a letter is for, and puts it into the box of that server, if it is another: of what may be
-- the name, the first counts that somebody has. Returns its number, the name as it is shown, and the
-- server.
-- ARGV me id from text... as pairs of a typed name and a text
local id, from = next_argument(), next_argument()
local number = 0
while argument < #ARGV do
  local typed, text = next_argument(), next_argument()
  number = number + 1
  for _, server in ipairs(living) do
    local shown = redis.call('HGET', names(server), 't:' .. typed)
    if shown then
      if server ~= me and text ~= '' then
        redis.call('XADD', box(server), 'MAXLEN', 1024, '*',
          'name', shown, 'server', me, 'id', id, 'from', from, 'x', text)
      end
      return {number, shown, server}
    end
  end
end
return {0, '', ''}
