// Addresses, domains and paths: what is taken has a canonical form that is read back as itself, and holds no
// octet that could end a line.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "lib/address.h"
#include "lib/text.h"

static void check(bool ok) {
  if (!ok) std::abort();
}

static void check_mailbox(const po::Mailbox& m) {
  std::string text = m.canonical();
  check(!po::has_control(text) && po::is_utf8(text) && text.size() + 2 <= po::kMaxPath);
  auto again = po::parse_mailbox(text, {.utf8 = true, .need_domain = false});
  check(again.has_value() && *again == m);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (bool utf8 : {false, true}) {
    for (bool need_domain : {false, true}) {
      po::AddressRules rules{.utf8 = utf8, .need_domain = need_domain};
      if (auto m = po::parse_mailbox(text, rules)) {
        check(utf8 || po::is_ascii(m->canonical()));
        check_mailbox(*m);
      }
      auto path = po::parse_path(text, rules);
      if (path && !path->null) check_mailbox(path->mailbox);
    }
  }
  if (auto domain = po::parse_domain(text)) {
    check(po::is_ascii(*domain));
    check(po::parse_domain(*domain) == *domain);
  }
  return 0;
}
