#include "fingerd/query.h"

#include <algorithm>

#include "lib/text.h"

namespace fingerd {
namespace {

constexpr std::string_view kNotText = "A query is one line of UTF-8 text without control characters.";
constexpr std::string_view kNoHost = "A host name must stand behind each @ of a query.";

bool is_wordy(std::string_view word) {
  return po::equal_ignoring_case(word, "/W");
}

/// Takes `/W` off, in front or at the end.
std::string_view without_wordy(std::string_view text) {
  std::size_t blank = text.find(' ');
  if (is_wordy(text.substr(0, blank)))
    return blank == std::string_view::npos ? std::string_view() : po::trim(text.substr(blank));
  std::size_t last = text.rfind(' ');
  if (last == std::string_view::npos || !is_wordy(text.substr(last + 1))) return text;
  return po::trim(text.substr(0, last));
}

/// Where the user's name ends: behind the closing quotation mark, or at the first '@'.
std::size_t end_of_user(std::string_view text) {
  if (text.starts_with('"')) {
    for (std::size_t i = 1; i < text.size(); ++i) {
      if (text[i] == '\\') {
        ++i;
      } else if (text[i] == '"') {
        if (i + 1 == text.size() || text[i + 1] == '@') return i + 1;
        break;
      }
    }
  }
  std::size_t at = text.find('@');
  return at == std::string_view::npos ? text.size() : at;
}

/// "@host" or "@host@host": RFC 1288's {H}.
void read_hosts(std::string_view hosts, Query& query) {
  for (bool first = true; !hosts.empty(); first = false) {
    hosts.remove_prefix(1);
    query.host = po::trim(hosts.substr(0, hosts.find('@')));
    hosts.remove_prefix(std::min(hosts.size(), hosts.find('@')));
    if (query.host.empty()) {
      query.ask = Ask::kBad;
      query.problem = kNoHost;
      return;
    }
    if (!first) query.ask = Ask::kForward;
  }
}

Query bad(std::string_view problem) {
  Query query;
  query.problem = problem;
  return query;
}

}  // namespace

Query parse_query(std::string_view line) {
  if (line.size() > kMaxQuery) return bad(kTooLong);
  if (!po::is_utf8(line) || po::has_control(line)) return bad(kNotText);
  Query query;
  std::string_view text = without_wordy(po::trim(line));
  std::size_t end = end_of_user(text);
  query.user = po::trim(text.substr(0, end));
  query.ask = query.user.empty() ? Ask::kList : Ask::kPerson;
  read_hosts(text.substr(end), query);
  return query;
}

}  // namespace fingerd
