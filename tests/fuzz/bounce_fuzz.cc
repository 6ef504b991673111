// The text of a notice about anything: two octets that choose, what others may have written, each ended by
// the octet 1E, then the message. Whatever they are, the notice has three parts, each line outside of the
// message is ours, and what comes back of the message is its beginning.
#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/error.h"
#include "lib/text.h"
#include "queue/bounce.h"
#include "queue/outcomes.h"

namespace {

using namespace queue;

void must(bool holds, const char* what) {
  if (!holds) po::panic(what);
}

std::string take_field(std::string_view& in) {
  std::string field(in.substr(0, in.find('\x1e')));
  in.remove_prefix(std::min(field.size() + 1, in.size()));
  return field;
}

/// Lines that end with CRLF, are short enough for SMTP and hold no control character.
void check_lines(std::string_view text) {
  while (!text.empty()) {
    auto end = text.find("\r\n");
    must(end != std::string_view::npos && end <= 998, "a line without end");
    must(!po::has_control(text.substr(0, end)), "a control character came through");
    text.remove_prefix(end + 2);
  }
}

/// Fields of RFC 3464, none twice in a group.
void check_status(std::string_view text, std::size_t groups) {
  std::size_t have = 1;
  std::string seen;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find("\r\n"));
    text.remove_prefix(std::min(line.size() + 2, text.size()));
    if (line.empty()) {
      ++have;
      seen.clear();
      continue;
    }
    std::string name = "\n" + std::string(line.substr(0, line.find(": "))) + ":";
    must(name.size() <= line.size() && seen.find(name) == std::string::npos, "a field that is not ours");
    seen += name;
  }
  must(have == groups, "a group of fields that is not ours");
}

void check_notice(const NoticeText& notice, std::string_view original, std::size_t reports) {
  std::string_view left = notice.content;
  must(notice.body_8bit == !po::is_ascii(left), "8BITMIME is wrong");
  auto at = left.find("boundary=\"");
  must(at != std::string_view::npos, "no boundary");
  std::string_view name = left.substr(at + 10);
  std::string line = "\r\n--" + std::string(name.substr(0, name.find('"')));
  must(left.ends_with(line + "--\r\n"), "no end");
  left.remove_suffix(line.size() + 4);
  std::array<std::string_view, 4> pieces;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    auto end = left.find(line + "\r\n");
    must((end == std::string_view::npos) == (i == 3), "another number of parts");
    pieces[i] = left.substr(0, end);
    left.remove_prefix(i == 3 ? left.size() : end + line.size() + 2);
  }
  auto body = [](std::string_view part) {
    return part.substr(std::min(part.find("\r\n\r\n") + 4, part.size()));
  };
  for (std::size_t i = 0; i < 3; ++i) {
    check_lines(pieces[i].ends_with("\r\n") ? pieces[i] : std::string(pieces[i]) + "\r\n");
    must(po::is_utf8(pieces[i]), "not UTF-8");
  }
  check_status(body(pieces[2]), reports + 1);
  must(original.starts_with(body(pieces[3])), "what comes back is something else");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  std::string_view in(reinterpret_cast<const char*>(data) + 2, size - 2);
  Report report;
  report.action = static_cast<Action>(data[0] % 5);
  report.remote = (data[0] & 8) != 0;
  report.at_ms = data[0];
  store::Envelope envelope;
  envelope.ret = data[1] % 3;
  envelope.smtputf8 = (data[1] & 8) != 0;
  envelope.sender = "jane@podunk.edu";
  for (std::string* field : {&report.address, &report.original, &report.orcpt, &report.status, &report.words,
                             &report.host, &envelope.envid})
    *field = take_field(in);
  std::string words = plain_line(report.words);
  must(words.size() <= 500 && po::is_utf8(words), "words that are not plain");
  (void)is_bulk(in);
  std::string_view content = in.substr(0, kMostReturned + 1);
  Original original{{}, {in.size(), data[1], envelope}, content};
  const ForPostmaster why{"A message", "You are told."};
  po::MessageId id;
  id.octets.fill(0x5a);
  std::array<Report, 2> reports = {report, report};
  std::size_t n = 1 + (data[1] >> 7);
  NoticeText notice = make_notice(original, std::span(reports).first(n), {"mail.podunk.edu", 50'000, 1000},
                                  id, 1000, (data[1] & 16) != 0 ? &why : nullptr);
  check_notice(notice, content, n);
  return 0;
}
