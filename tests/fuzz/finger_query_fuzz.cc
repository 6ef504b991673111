// Any octets as what a finger client sends, cut at a place that the first octet names: the outcome is the one
// of the octets in one piece; what was parsed lies inside the line; what is said back is one clean line.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "fingerd/answer.h"
#include "fingerd/session.h"
#include "lib/text.h"

namespace {

void must(bool ok) {
  if (!ok) std::abort();
}

bool lies_in(std::string_view part, std::string_view whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

/// Outcome and line, for comparison.
std::string play(std::string_view octets, std::size_t cut) {
  fingerd::Session session({}, std::make_shared<const fingerd::Access>());
  std::size_t outcome = 0;
  for (std::string_view piece : {octets.substr(0, cut), octets.substr(cut)}) {
    fingerd::Action action = session.on_input(piece);
    if (action.index() == 0) continue;
    must(outcome == 0);
    outcome = action.index();
  }
  must(session.over() == (outcome != 0));
  must(session.line().size() <= fingerd::kMaxQuery + 2);
  return std::to_string(outcome) + std::string(session.line());
}

void check_echo(const std::string& text) {
  must(text.ends_with("\r\n") && text.size() < 250);
  must(po::is_utf8(text) && !po::has_control(text.substr(0, text.size() - 2)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view octets(reinterpret_cast<const char*>(data), size);
  must(play(octets, octets.size()) == play(octets, size == 0 ? 0 : data[0] % size));
  fingerd::Query query = fingerd::parse_query(octets);
  must(lies_in(query.user, octets) && lies_in(query.host, octets));
  must((query.ask == fingerd::Ask::kBad) == !query.problem.empty());
  must(query.ask != fingerd::Ask::kPerson || !query.user.empty());
  check_echo(fingerd::no_account_text(octets, query.host));
  check_echo(fingerd::no_forwarding_text(octets));
  return 0;
}
