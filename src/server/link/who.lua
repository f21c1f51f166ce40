-- Returns how many people are here, and the names of the first ones, oldest first.
-- ARGV me n_listed_of_many many
local n_listed, many = tonumber(next_argument()), tonumber(next_argument())
local n_people, people = 0, {}
for _, id in ipairs(living) do n_people = n_people + redis.call('ZCARD', here(id)) end
local last = n_people < many and -1 or n_listed - 1
for _, id in ipairs(living) do
  local first = redis.call('ZRANGE', here(id), 0, last, 'WITHSCORES')
  for at = 1, #first, 2 do table.insert(people, { name = first[at], came = tonumber(first[at + 1]) }) end
end
table.sort(people, function(one, other)
  if one.came == other.came then return one.name < other.name end
  return one.came < other.came
end)
local listed = {}
for number = 1, n_people < many and #people or math.min(n_listed, #people) do
  table.insert(listed, people[number].name)
end
return {n_people, listed}
