// Lines of a log: what is read is written back as the same fields, and told without a control character.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "lib/log.h"
#include "lib/log_parse.h"
#include "lib/story.h"
#include "lib/text.h"

static std::string written(const po::LogRecord& record) {
  std::string line;
  for (const po::LogField& f : record.fields()) {
    if (!line.empty()) line += ' ';
    line += f.key + '=';
    po::append_log_value(line, f.value);
  }
  return line;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto record = po::parse_log_line({reinterpret_cast<const char*>(data), size});
  if (!record) return 0;
  auto again = po::parse_log_line(written(*record));
  // What was quoted without need comes back bare; what was escaped in another way, longer.
  if (again && again->fields() != record->fields()) std::abort();
  std::string line = po::story_line(*record), json = po::story_json(*record);
  if (line.back() != '\n' || json.back() != '\n') std::abort();
  line.pop_back();
  if (po::has_control(line) || !po::is_utf8(json)) std::abort();
  return 0;
}
