#include "fingerd/query.h"

#include <catch2/catch.hpp>
#include <string>

using fingerd::Ask;
using fingerd::parse_query;
using fingerd::Query;

namespace {
struct Case {
  std::string line;
  Ask ask;
  std::string_view user = {};
  std::string_view host = {};
};
}  // namespace

TEST_CASE("queries") {
  const Case cases[] = {
      {"", Ask::kList},
      {"   ", Ask::kList},
      {"/W", Ask::kList},
      {"/W ", Ask::kList},  // Debian's finger -l @host
      {"/w", Ask::kList},
      {"jane", Ask::kPerson, "jane"},
      {" jane ", Ask::kPerson, "jane"},
      {"/W jane", Ask::kPerson, "jane"},
      {"/w   jane", Ask::kPerson, "jane"},
      {"jane /W", Ask::kPerson, "jane"},
      {"/Wjane", Ask::kPerson, "/Wjane"},
      {"/x jane", Ask::kPerson, "/x jane"},
      {"Jane Lee", Ask::kPerson, "Jane Lee"},
      {"jane@podunk.edu", Ask::kPerson, "jane", "podunk.edu"},
      {"/W jane@podunk.edu", Ask::kPerson, "jane", "podunk.edu"},
      {"jane @ podunk.edu", Ask::kPerson, "jane", "podunk.edu"},
      {"jane+x@podunk.edu", Ask::kPerson, "jane+x", "podunk.edu"},
      {"@podunk.edu", Ask::kList, "", "podunk.edu"},
      {"/W @podunk.edu", Ask::kList, "", "podunk.edu"},
      {"jane@[192.0.2.1]", Ask::kPerson, "jane", "[192.0.2.1]"},
      {"jane@podunk.edu@mx.podunk.edu", Ask::kForward, "jane", "mx.podunk.edu"},
      {"@podunk.edu@mx.podunk.edu", Ask::kForward, "", "mx.podunk.edu"},
      {"@a@b@c", Ask::kForward, "", "c"},
      {"jane@", Ask::kBad},
      {"@", Ask::kBad},
      {"jane@@podunk.edu", Ask::kBad},
      {"jane@podunk.edu@", Ask::kBad},
      {"jane@ ", Ask::kBad},
      {R"("jane lee"@podunk.edu)", Ask::kPerson, R"("jane lee")", "podunk.edu"},
      {R"("j@ne"@podunk.edu)", Ask::kPerson, R"("j@ne")", "podunk.edu"},
      {R"("j\"@ne"@podunk.edu)", Ask::kPerson, R"("j\"@ne")", "podunk.edu"},
      {R"("j@ne")", Ask::kPerson, R"("j@ne")"},
      {R"("jane@podunk.edu)", Ask::kPerson, R"("jane)", "podunk.edu"},
      {R"("jane\)", Ask::kPerson, R"("jane\)"},
      {"J\xc3\xbcrgen", Ask::kPerson, "J\xc3\xbcrgen"},
      {"J\xfcrgen", Ask::kBad},
      {"ja\x01ne", Ask::kBad},
      {"ja\tne", Ask::kBad},
      {"jane\r", Ask::kBad},
      {"\x1b[2Jjane", Ask::kBad},
      {std::string("ja\0ne", 5), Ask::kBad},
      {"ja\xc2\x9bne", Ask::kBad},  // CSI among the C1 controls
      {std::string(512, 'x'), Ask::kPerson, {}, {}},
      {std::string(513, 'x'), Ask::kBad},
  };
  for (const Case& c : cases) {
    INFO(c.line);
    Query query = parse_query(c.line);
    CHECK(query.ask == c.ask);
    CHECK(query.problem.empty() == (c.ask != Ask::kBad));
    if (c.ask == Ask::kBad || c.line.size() == fingerd::kMaxQuery) continue;
    CHECK(query.user == c.user);
    CHECK(query.host == c.host);
  }
}
