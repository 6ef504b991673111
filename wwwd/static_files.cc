#include "wwwd/static_files.h"

#include <fmt/format.h>

#include "lib/checksum.h"

// The assembler reads the files; the Makefile names them as what this object is made from.
#define EMBED(symbol, file)                                \
  asm(".pushsection .rodata\n"                             \
      ".global " #symbol "\n" #symbol ":\n.incbin \"" file \
      "\"\n"                                               \
      ".global " #symbol "_end\n" #symbol                  \
      "_end:\n.byte 0\n"                                   \
      ".popsection\n");                                    \
  extern "C" const char symbol[], symbol##_end[];

EMBED(wwwd_style_css, "wwwd/static/style.css")
EMBED(wwwd_comfort_js, "wwwd/static/comfort.js")
EMBED(wwwd_icon_svg, "wwwd/static/icon.svg")

namespace wwwd {
namespace {

struct File {
  std::string path;
  std::string_view type, content;
};

File file(std::string_view name, std::string_view type, const char* begin, const char* end) {
  std::string_view content(begin, static_cast<std::size_t>(end - begin));
  po::Checksum sum;
  sum.add(content);
  return {fmt::format("/static/{:016x}/{}", sum.value(), name), type, content};
}

const File& style() {
  static const File kFile = file("style.css", "text/css; charset=utf-8", wwwd_style_css, wwwd_style_css_end);
  return kFile;
}

const File& script() {
  static const File kFile =
      file("comfort.js", "text/javascript; charset=utf-8", wwwd_comfort_js, wwwd_comfort_js_end);
  return kFile;
}

const File& icon() {
  static const File kFile = file("icon.svg", "image/svg+xml", wwwd_icon_svg, wwwd_icon_svg_end);
  return kFile;
}

}  // namespace

const std::string& style_path() {
  return style().path;
}

const std::string& script_path() {
  return script().path;
}

const std::string& icon_path() {
  return icon().path;
}

std::optional<Response> static_file(std::string_view path) {
  bool by_custom = path == "/favicon.ico";
  for (const File* file : {&style(), &script(), &icon()}) {
    if (path != file->path && !(by_custom && file == &icon())) continue;
    Response response;
    response.type = file->type;
    response.body = file->content;
    if (!by_custom) response.cache = Cache::kVersioned;
    return response;
  }
  return std::nullopt;
}

}  // namespace wwwd
