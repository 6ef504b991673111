// Any octets as one POP3 command line: what is found lies inside the line, and a good command has what its
// verb needs.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "pop3d/command.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view line(reinterpret_cast<const char*>(data), size);
  pop3d::Command command = pop3d::parse_command(line);
  if (!command.text.empty() && (command.text.data() < line.data() ||
                                command.text.data() + command.text.size() > line.data() + line.size())) {
    std::abort();
  }
  bool needs_number = command.verb == pop3d::Verb::kRetr || command.verb == pop3d::Verb::kDele ||
                      command.verb == pop3d::Verb::kTop;
  if (command.problem == nullptr && needs_number && !command.number) std::abort();
  return 0;
}
