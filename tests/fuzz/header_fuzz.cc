// Headers: however the content is cut, the scan tells the same; rewritten From fields are read back as the
// address that was written. The first octet says where to cut.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "lib/header.h"

using po::HeaderScanner;

static void check(bool ok) {
  if (!ok) std::abort();
}

static void check_scan(std::string_view content, std::size_t step) {
  HeaderScanner whole, pieces;
  whole.feed(content);
  whole.finish();
  for (std::size_t at = 0; at < content.size(); at += step) pieces.feed(content.substr(at, step));
  pieces.finish();
  check(whole.message_id() == pieces.message_id());
  check(whole.end() == pieces.end() && whole.size() == pieces.size() && whole.size() <= content.size());
  for (std::size_t i = 0; i < HeaderScanner::kFields; ++i) {
    auto f = static_cast<HeaderScanner::Field>(i);
    check(whole.count(f) == pieces.count(f));
  }
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view content(reinterpret_cast<const char*>(data) + 1, size - 1);
  check_scan(content, data[0] % 16 + 1);
  (void)po::from_addresses(content);
  if (auto list = po::parse_address_list(content)) {
    check(!list->empty());
    for (const auto& m : *list) {
      auto again = po::parse_address_list(m.canonical());
      check(again.has_value() && again->size() == 1 && again->front() == m);
    }
  }
  // Completed, a list names the same people, all with a domain; completed again, it stays.
  std::string completed = po::complete_address_list(content, "x.org");
  if (auto list = po::parse_address_list(completed)) {
    for (const auto& m : *list) check(!m.domain.empty());
    check(po::complete_address_list(completed, "y.org") == completed);
  }
  check(po::complete_addresses(content, "x.org").size() >= content.size());
  // The content as a real name, which a user may choose.
  for (auto style : {po::FromStyle::kComment, po::FromStyle::kQuoted}) {
    auto from = po::from_addresses("From: " + po::from_value(style, content, "a@x.org") + "\r\n\r\n");
    check(from.has_value() && from->size() == 1 && from->front().canonical() == "a@x.org");
    auto one = po::from_addresses(po::rewrite_from("To: t\r\n\r\n", style, content, "a@x.org"));
    check(one.has_value() && one->size() == 1);
  }
  return 0;
}
