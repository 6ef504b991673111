// Any octets as a query or form, as a path and as a Cookie field. What is taken can be written again and read
// as the same; a path has no second reading.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "lib/text.h"
#include "wwwd/cookie.h"
#include "wwwd/query.h"

namespace {

void must(bool ok) {
  if (!ok) std::abort();
}

void check_parameters(std::string_view text) {
  auto found = wwwd::parse_parameters(text);
  if (!found) return;
  must(found->size() <= wwwd::kMaxParameters);
  std::string again;
  for (const auto& [name, value] : *found) {
    must(!name.empty() && name.size() <= wwwd::kMaxParameterName && po::is_utf8(value));
    again += (again.empty() ? "" : "&") + wwwd::encode_component(name) + "=" + wwwd::encode_component(value);
  }
  auto back = wwwd::parse_parameters(again);
  must(back && std::equal(back->begin(), back->end(), found->begin(), found->end()));
}

void check_path(std::string_view text) {
  auto path = wwwd::parse_path(text);
  if (!path) return;
  must(path->starts_with('/') && po::is_utf8(*path) && !po::has_control(*path));
  must(("/" + *path + "/").find("/../") == std::string::npos);
  must(path->find('\\') == std::string::npos && path->find("//") == std::string::npos);
}

void check_cookie(std::string_view text) {
  std::string_view value = wwwd::cookie_value(text, "token");
  if (value.empty()) return;
  must(value.data() >= text.data() && value.data() + value.size() <= text.data() + text.size());
  must(value.find_first_of("; \"") == std::string_view::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  check_parameters(text);
  check_path(text);
  check_cookie(text);
  return 0;
}
