// HTML as it is written: elements open and close in order, and every text and attribute value is escaped on
// its way in. Names of elements and attributes are literals, checked when this is compiled, so nothing that
// came from a person can become markup; `on...` and `style` are no attributes here, because the pages'
// content security policy forbids what they would hold. Callers: the pages.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace wwwd {

namespace html {

/// Not constexpr: a name that is none does not compile, and the compiler's message names this function.
void not_a_name_of_html();

consteval std::string_view checked_name(std::string_view name) {
  if (name.empty()) not_a_name_of_html();
  for (char c : name)
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) not_a_name_of_html();
  return name;
}

/// Of an element. Script and style hold no text that escaping would protect: Html::script() alone makes one.
class Tag {
 public:
  consteval Tag(const char* name) : name_(checked_name(name)) {  // NOLINT(*-explicit-*): literals
    if (name_ == "script" || name_ == "style") not_a_name_of_html();
  }
  [[nodiscard]] std::string_view name() const { return name_; }

 private:
  std::string_view name_;
};

class AttributeName {
 public:
  consteval AttributeName(const char* name) : name_(checked_name(name)) {  // NOLINT(*-explicit-*): literals
    if (name_.starts_with("on") || name_.starts_with("style")) not_a_name_of_html();
  }
  [[nodiscard]] std::string_view name() const { return name_; }

 private:
  std::string_view name_;
};

/// name="value"; with a bool the bare name, or nothing. A view: lives no longer than the call it is made for.
class Attribute {
 public:
  Attribute(AttributeName name, std::string_view value) : name_(name), value_(value) {}
  template <std::same_as<bool> B>
  Attribute(AttributeName name, B there) : name_(name), bare_(true), there_(there) {}
  template <std::integral N>
  requires(!std::same_as<N, bool> && !std::same_as<N, char>) Attribute(AttributeName name, N number)
      : name_(name), number_(std::to_string(number)), is_number_(true) {}
  /// The attribute is left out if the value is empty.
  [[nodiscard]] static Attribute unless_empty(AttributeName name, std::string_view value) {
    Attribute a(name, value);
    a.there_ = !value.empty();
    return a;
  }

 private:
  friend class Writer;
  AttributeName name_;
  std::string_view value_;
  std::string number_;
  bool is_number_ = false, bare_ = false, there_ = true;
};
using Attributes = std::initializer_list<Attribute>;

/// See above. Each call gives the object back.
class Writer {
 public:
  Writer& open(Tag tag, Attributes attributes = {});
  /// Of the element that was opened last and is open yet; another one is a bug and panics.
  Writer& close(Tag tag);
  Writer& text(std::string_view text);
  /// With all of its content.
  Writer& element(Tag tag, std::string_view text) { return element(tag, {}, text); }
  Writer& element(Tag tag, Attributes attributes, std::string_view text);
  /// Without content or end: input, meta, br.
  Writer& empty(Tag tag, Attributes attributes = {});
  Writer& link(std::string_view href, std::string_view text) { return element("a", {{"href", href}}, text); }
  /// A script of our own, by its address; there are none inside a page.
  Writer& script(std::string_view src);
  /// Another piece, whole: elements left open in it are a bug.
  Writer& add(const Writer& piece);

  [[nodiscard]] bool blank() const { return out_.empty(); }
  [[nodiscard]] std::size_t size() const { return out_.size(); }
  /// What was written; panics if an element is open.
  [[nodiscard]] const std::string& str() const;

 private:
  void begin(Tag tag, Attributes attributes);
  std::string out_;
  std::vector<std::string_view> open_;
};

}  // namespace html

using Html = html::Writer;

}  // namespace wwwd
