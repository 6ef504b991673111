#include "wwwd/html.h"

#include "lib/error.h"
#include "wwwd/response.h"

namespace wwwd::html {

void not_a_name_of_html() {
  po::panic("html: not a name");
}

void Writer::begin(Tag tag, Attributes attributes) {
  out_ += '<';
  out_ += tag.name();
  for (const Attribute& a : attributes) {
    if (!a.there_) continue;
    out_ += ' ';
    out_ += a.name_.name();
    if (a.bare_) continue;
    out_ += "=\"";
    out_ += html_escape(a.is_number_ ? std::string_view(a.number_) : a.value_);
    out_ += '"';
  }
  out_ += '>';
}

Writer& Writer::open(Tag tag, Attributes attributes) {
  begin(tag, attributes);
  open_.push_back(tag.name());
  return *this;
}

Writer& Writer::close(Tag tag) {
  if (open_.empty() || open_.back() != tag.name()) po::panic("html: closes what is not open");
  open_.pop_back();
  out_ += "</";
  out_ += tag.name();
  out_ += '>';
  return *this;
}

Writer& Writer::text(std::string_view text) {
  out_ += html_escape(text);
  return *this;
}

Writer& Writer::element(Tag tag, Attributes attributes, std::string_view content) {
  return open(tag, attributes).text(content).close(tag);
}

Writer& Writer::empty(Tag tag, Attributes attributes) {
  begin(tag, attributes);
  return *this;
}

Writer& Writer::script(std::string_view src) {
  out_ += "<script defer src=\"";
  out_ += html_escape(src);
  out_ += "\"></script>";
  return *this;
}

Writer& Writer::add(const Writer& piece) {
  out_ += piece.str();
  return *this;
}

const std::string& Writer::str() const {
  if (!open_.empty()) po::panic("html: an element was left open");
  return out_;
}

}  // namespace wwwd::html
