#include "lib/directory/queue_start.h"

#include <fmt/format.h>

#include "lib/address.h"
#include "lib/text.h"

namespace directory {
namespace {

constexpr std::string_view kForm = "a permission is written DOMAIN RESTRICTION, as podunk.edu 192.0.2.0/24";

struct Words {
  std::string_view domain, restriction;
};

po::Result<Words> split(std::string_view text) {
  text = po::trim(text);
  std::string_view domain = text.substr(0, text.find_first_of(" \t"));
  std::string_view restriction = po::trim(text.substr(domain.size()));
  if (restriction.empty() || restriction.find_first_of(" \t") != std::string_view::npos)
    return po::permanent(std::string(kForm));
  return Words{domain, restriction};
}

bool at_or_under(std::string_view domain, std::string_view above) {
  if (!domain.ends_with(above)) return false;
  return domain.size() == above.size() || domain[domain.size() - above.size() - 1] == '.';
}

}  // namespace

po::Result<QueueStart> parse_queue_start(std::string_view text) {
  auto words = split(text);
  if (!words) return tl::make_unexpected(words.error());
  auto domain = po::parse_domain(words->domain);
  if (!domain)
    return po::permanent(fmt::format("\"{}\": {}", po::for_display(words->domain), domain.error().text));
  auto rule = po::parse_access_rule(words->restriction);
  if (!rule) return tl::make_unexpected(rule.error());
  return QueueStart{std::move(*domain), std::move(*rule)};
}

po::Result<std::string> tidy_queue_start(std::string_view text) {
  auto parsed = parse_queue_start(text);
  if (!parsed) return tl::make_unexpected(parsed.error());
  std::string restriction =
      po::needs_name(parsed->from) ? parsed->from.name : std::string(split(text)->restriction);
  return fmt::format("{} {}", parsed->domain, restriction);
}

std::vector<po::AccessRule> who_may_start(const std::vector<std::string>& lines, std::string_view domain) {
  std::vector<po::AccessRule> rules;
  for (const std::string& line : lines) {
    auto parsed = parse_queue_start(line);
    if (parsed && at_or_under(domain, parsed->domain)) rules.push_back(std::move(parsed->from));
  }
  return rules;
}

}  // namespace directory
