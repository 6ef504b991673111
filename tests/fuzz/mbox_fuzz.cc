// Any octets as a message for a mail drop, cut at a place that the first octet names: what is written is the
// same as in one piece, is one message to whoever reads the file, and has the message's octets but for line
// ends and quoting.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "deliver/unix/mbox.h"

namespace {

void must(bool ok) {
  if (!ok) std::abort();
}

std::string encoded(std::string_view message, std::size_t cut) {
  unix_deliver::MboxEncoder encoder;
  std::string out;
  encoder.add(message.substr(0, cut), out);
  encoder.add(message.substr(cut), out);
  encoder.finish(out);
  return out;
}

std::string without(std::string text, std::string_view what, std::string_view by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view message(reinterpret_cast<const char*>(data), size);
  std::string out = encoded(message, 0);
  must(out == encoded(message, size == 0 ? 0 : data[0] % size));
  must(!out.starts_with("From ") && out.find("\nFrom ") == std::string::npos);
  must(out.ends_with("\n") && (out.size() == 1 || out.ends_with("\n\n")));
  std::string plain = without(std::string(message), "\r\n", "\n");
  std::string back = without("\n" + out, "\n>From ", "\nFrom ").substr(1);
  must(without("\n" + back, "\n>From ", "\nFrom ").starts_with(without("\n" + plain, "\n>From ", "\nFrom ")));

  std::tm at{};
  std::string first = unix_deliver::from_line(message.substr(0, 300), at);
  must(first.starts_with("From ") && first.find('\n') == first.size() - 1);
  return 0;
}
