#include "lib/form/settings_form.h"

#include <array>
#include <charconv>
#include <concepts>
#include <string_view>

#include "lib/directory/settings_table.h"

namespace form {
namespace {

/// The words of a choice, in the order of its enumeration.
constexpr std::array<std::string_view, 3> words_of(directory::ClearText) {
  return {"never", "loopback", "always"};
}
constexpr std::array<std::string_view, 3> words_of(directory::UnknownUsers) {
  return {"refuse", "hold", "deliver"};
}
template <class T>
concept Choice = std::is_enum_v<T>;

/// Sizes are counted in octets and written in kilobytes.
template <class T>
constexpr std::uint64_t kScale = std::is_same_v<T, std::uint64_t> ? 1024 : 1;

template <std::unsigned_integral T>
std::vector<std::string> to_values(T number) {
  return {std::to_string(number / kScale<T>)};
}
std::vector<std::string> to_values(bool yes) {
  return {yes ? "yes" : "no"};
}
template <Choice T>
std::vector<std::string> to_values(T choice) {
  return {std::string(words_of(choice)[static_cast<std::size_t>(choice)])};
}
std::vector<std::string> to_values(const std::vector<std::string>& list) {
  return list;
}
std::vector<std::string> to_values(const std::string& text) {
  return text.empty() ? std::vector<std::string>() : std::vector<std::string>{text};
}

template <std::unsigned_integral T>
void from_values(const std::vector<std::string>& values, T& number) {
  std::uint64_t n = 0;
  if (!values.empty()) std::from_chars(values[0].data(), values[0].data() + values[0].size(), n);
  number = static_cast<T>(n * kScale<T>);
}
void from_values(const std::vector<std::string>& values, bool& yes) {
  yes = !values.empty() && values[0] == "yes";
}
template <Choice T>
void from_values(const std::vector<std::string>& values, T& choice) {
  auto words = words_of(choice);
  for (std::size_t i = 0; i < words.size(); ++i)
    if (!values.empty() && values[0] == words[i]) choice = static_cast<T>(i);
}
void from_values(const std::vector<std::string>& values, std::vector<std::string>& list) {
  list = values;
}
void from_values(const std::vector<std::string>& values, std::string& text) {
  text = values.empty() ? std::string() : values[0];
}

}  // namespace

Values settings_values(const directory::Settings& settings) {
  Values values;
  directory::for_each_setting(
      settings, [&](const char* name, const auto& member) { values[name] = to_values(member); });
  return values;
}

bool apply_settings(const Values& values, directory::Settings& settings) {
  bool changed = false;
  directory::for_each_setting(settings, [&](const char* name, auto& member) {
    auto given = values.find(name);
    if (given == values.end()) return;
    auto before = member;
    from_values(given->second, member);
    changed = changed || member != before;
  });
  return changed;
}

}  // namespace form
