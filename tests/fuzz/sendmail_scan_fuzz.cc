// What a script gives to sendmail, and the addresses in it: however the input is cut, the message is the
// same, and what goes out holds no bare CR or LF, no NUL, no Bcc, and no field that was not in the input or
// is ours. The first octet says whether a dot ends, the second how the rest is cut.
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/error.h"
#include "lib/text.h"
#include "smtpd/sendmail/message_scan.h"
#include "smtpd/sendmail/options.h"

using sendmail::Field;
using sendmail::MessageScan;

namespace {

void check(bool ok, const char* what) {
  if (!ok) po::panic(what);
}

struct Scanned {
  std::string header, body;
  std::vector<Field> fields;
  bool too_large = false;
};

Scanned scan(std::string_view in, bool dot_ends, std::size_t step) {
  MessageScan s(dot_ends);
  Scanned out;
  for (std::size_t at = 0; at < in.size(); at += step) s.feed(in.substr(at, step), out.body);
  s.finish(out.body);
  out.fields = s.fields();
  out.too_large = s.header_too_large();
  for (const Field& f : out.fields) out.header += f.whole;
  return out;
}

void check_lines(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    check(text[i] != '\0', "NUL came through");
    if (text[i] == '\r') check(i + 1 < text.size() && text[i + 1] == '\n', "a CR stands alone");
    if (text[i] == '\n') check(i > 0 && text[i - 1] == '\r', "an LF stands alone");
  }
  check(text.empty() || text.ends_with("\r\n"), "the last line has no end");
}

void check_address(const po::Mailbox& m) {
  std::string text = m.canonical();
  check(!po::has_control(text), "an address holds a control character");
  auto again = po::parse_mailbox(text, {.utf8 = true, .need_domain = false});
  check(again.has_value() && *again == m, "an address is not read back as it was written");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  bool dot_ends = data[0] % 2 == 0;
  std::string_view in(reinterpret_cast<const char*>(data) + 2, size - 2);
  Scanned whole = scan(in, dot_ends, in.size() + 1);
  Scanned pieces = scan(in, dot_ends, 1 + data[1] % 32);
  check(whole.too_large == pieces.too_large, "a cut changes what is too large");
  if (whole.too_large) return 0;
  check(whole.header == pieces.header && whole.body == pieces.body, "a cut changes the message");
  check(whole.header.size() <= MessageScan::kMaxHeader + 2, "the header is not bounded");
  check_lines(whole.header);
  check_lines(whole.body);

  std::string header = sendmail::finished_header(whole.fields, {"f", "d", "<m>"});
  check_lines(header);
  MessageScan again(false);
  std::string body;
  again.feed(header + whole.body, body);
  again.finish(body);
  check(again.header_too_large() || body == whole.body, "the header has another end than was written");
  check(!has_field(again.fields(), "bcc") && !has_field(again.fields(), "resent-bcc"), "Bcc came through");
  check(again.header_too_large() || again.fields().size() <= whole.fields.size() + 6,
        "a field came from nowhere");

  if (auto found = header_recipients(whole.fields)) {
    for (const po::Mailbox& m : *found) check_address(m);
  }
  std::vector<po::Mailbox> named;
  if (sendmail::add_recipients(in, named)) {
    for (const po::Mailbox& m : named) check_address(m);
  }
  return 0;
}
