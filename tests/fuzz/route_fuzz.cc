// Any text as lines of the mail routing table, of Sender-Options and of Queue-Start-Permissions: what is
// taken is written in one form that reads back as itself, and a table of such lines answers for any domain.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "lib/address.h"
#include "lib/directory/next_hop.h"
#include "lib/directory/queue_start.h"

namespace {

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

bool one_line(std::string_view text) {
  return text.find_first_of("\r\n") == std::string_view::npos;
}

void must(bool holds) {
  if (!holds) std::abort();
}

/// `parse` gives a written form or a failure.
template <class Parse>
void check_line(const std::string& line, Parse parse) {
  auto written = parse(line);
  if (!written) return must(one_line(written.error().text) && written.error().kind == po::Kind::kPermanent);
  auto again = parse(*written);
  must(again && *again == *written && one_line(*written));
}

void check_hop(const directory::RoutingTable& table, const std::string& domain, const std::string& sender) {
  auto hop = table.next_hop(domain, sender);
  const auto* entry = table.match(domain);
  must(!hop.name.empty() && !hop.host.empty() && hop.port != 0);
  must(hop.by_mx == (!domain.starts_with('[') && (!entry || entry->host == "*")));
  must(!hop.by_mx || (hop.name == domain && hop.user.empty() && hop.port == 25));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto lines = lines_of({reinterpret_cast<const char*>(data), size});
  for (const std::string& line : lines) {
    check_line(line, [](std::string_view t) { return directory::parse_route(t).map(directory::route_text); });
    check_line(line, [](std::string_view t) {
      return directory::parse_sender_options(t).map(directory::sender_options_text);
    });
    check_line(line, directory::tidy_queue_start);
  }
  const directory::RoutingTable table(lines, lines);
  for (const std::string& line : lines) {
    auto domain = po::parse_domain(line);
    if (!domain) continue;
    check_hop(table, *domain, *domain);
    (void)directory::who_may_start(lines, *domain);
  }
  check_hop(table, "xanadu.podunk.edu", "podunk.edu");
  check_hop(table, "[192.0.2.1]", "");
  return 0;
}
