#include "lib/error.h"

#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace po {

static tl::unexpected<Error> make(Kind kind, std::string text, int err) {
  if (err != 0) {
    text += ": ";
    text += std::strerror(err);
  }
  return tl::unexpected<Error>(Error{kind, err, std::move(text)});
}

tl::unexpected<Error> temporary(std::string text, int err) {
  return make(Kind::kTemporary, std::move(text), err);
}

tl::unexpected<Error> permanent(std::string text, int err) {
  return make(Kind::kPermanent, std::move(text), err);
}

void panic(std::string_view what) {
  std::string line = "event=panic what=\"" + std::string(what) + "\"\n";
  [[maybe_unused]] ssize_t n = ::write(2, line.data(), line.size());
  std::abort();
}

}  // namespace po
