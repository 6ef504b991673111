#include "wwwd/html.h"

#include <catch2/catch.hpp>

using wwwd::Html;

TEST_CASE("whatever comes in as text or value is escaped") {
  Html h;
  h.open("p", {{"title", "\"><script>alert(1)</script>"}});
  h.text("<b>&'\"").close("p");
  CHECK(h.str() ==
        "<p title=\"&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;\">&lt;b&gt;&amp;&#39;&quot;</p>");
}

TEST_CASE("attributes: text, number, bare and left out") {
  Html h;
  h.empty("input", {{"name", "a"},
                    {"maxlength", 100},
                    {"checked", true},
                    {"disabled", false},
                    wwwd::html::Attribute::unless_empty("class", ""),
                    wwwd::html::Attribute::unless_empty("id", "x")});
  CHECK(h.str() == "<input name=\"a\" maxlength=\"100\" checked id=\"x\">");
}

TEST_CASE("pieces are put together, links are elements") {
  Html inner;
  inner.link("/a?b=c&d=e", "go");
  Html outer;
  outer.open("ul").open("li").add(inner).close("li").close("ul");
  CHECK(outer.str() == "<ul><li><a href=\"/a?b=c&amp;d=e\">go</a></li></ul>");
}
