// post.office.conf is root's file, but a parser that only sees good input is not one. What parses without
// problems must also hold what the dispatcher builds on.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "lib/config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  po::config::Parsed parsed = po::config::parse(text, "fuzz");
  (void)po::config::parse_resolv_conf(text);
  if (!parsed.problems.empty()) return 0;
  for (const auto& service : parsed.config.services) {
    if (service.listen.empty() || service.program.find('/') != std::string::npos) abort();
    for (const auto& endpoint : service.listen) {
      bool network = endpoint.address.family != 0 && endpoint.address.port != 0 && endpoint.path.empty();
      bool local =
          endpoint.address.family == 0 && endpoint.path.starts_with('/') && endpoint.path.size() <= 107;
      if (!network && !local) abort();
    }
    if (parsed.config.processes(service.program) > po::config::kMaxProcesses) abort();
  }
  return 0;
}
