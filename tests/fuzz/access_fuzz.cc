// Access restrictions: what is taken is printed in a form that is read back as the same rule.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "lib/access.h"
#include "lib/net_address.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto rule = po::parse_access_rule(text);
  if (!rule) {
    if (rule.error().text.find_first_of("\r\n") != std::string::npos) std::abort();
    return 0;
  }
  auto again = po::parse_access_rule(po::access_rule_text(*rule));
  if (!again || !(*again == *rule)) std::abort();
  if (!po::needs_name(*rule) && !po::matches(*rule, rule->network, "")) std::abort();
  if (po::needs_name(*rule) && !po::matches(*rule, {}, "a." + rule->name)) std::abort();
  return 0;
}
