"""Where `fixtures/django_site` is edited: settings, addresses, models, the admin, templates, data."""

from equivalence.tree import Variation

_SETTINGS = (
    Variation("branch/settings/base.py", 'LANGUAGE_CODE = "en-us"', ('LANGUAGE_CODE = "de"', 'LANGUAGE_CODE = "fr"')),
    Variation("branch/settings/base.py", 'TIME_ZONE = "UTC"', ('TIME_ZONE = "Europe/Vienna"',)),
    Variation("branch/settings/base.py", '    "corsheaders.middleware.CorsMiddleware",\n', ("",)),
    Variation("branch/settings/base.py", "LOAN_DAYS=(int, 14)", ("LOAN_DAYS=(int, 7)",)),
    Variation("branch/settings/development.py", "DEBUG = True", ("DEBUG = False",)),
    Variation("branch/settings/installed.py", '    "django_extensions",\n', ("", '    "django.contrib.humanize",\n')),
    Variation(
        "branch/settings/installed.py", '["catalogue", "lending", "members"]', ('["members", "catalogue", "lending"]',)
    ),
    Variation("site.env", "LOAN_DAYS=21", ("LOAN_DAYS=28", "LOAN_DAYS=10")),
    Variation("site.env", "SITE_TITLE=Branch library", ("SITE_TITLE=Reading room", "SITE_NAME=Nothing reads this")),
)

_ADDRESSES = (
    Variation("branch/urls.py", 'path("health/"', ('path("healthy/"',)),
    Variation("branch/urls.py", "    *debug_toolbar_urls(),\n", ("",)),
    Variation("branch/middleware.py", 'HEADER = "X-Revision"', ('HEADER = "X-Site-Revision"',)),
    Variation("branch/context.py", '"site_title": settings.SITE_TITLE', ('"site_title": settings.SITE_TITLE.upper()',)),
    Variation("catalogue/urls.py", 'path("<int:pk>/"', ('path("book/<int:pk>/"',)),
    Variation("catalogue/api.py", '"authors", AuthorViewSet', ('"writers", AuthorViewSet',)),
    Variation(
        "catalogue/api.py", 'Book.objects.select_related("author").order_by("id")', ('Book.objects.order_by("-id")',)
    ),
)

_MODELS = (
    Variation(
        "catalogue/models.py", '{self.title} by {self.author}"', ('{self.title}, {self.author}"', '{self.title}"')
    ),
    Variation(
        "catalogue/models.py",
        '        ordering = ("title",)',
        ('        ordering = ("-title",)', '        ordering = ("id",)'),
    ),
    Variation(
        "catalogue/models.py",
        '        ordering = ("name",)',
        ('        ordering = ("name",)\n        verbose_name = "writer"', '        ordering = ("-name",)'),
    ),
    Variation("lending/models.py", "filter(returned=False)", ("filter(returned=True)", "all()")),
    Variation("lending/models.py", '{self.book.title} since {self.since}"', ('{self.book.title}: {self.since}"',)),
    Variation("members/models.py", "return self.number", ('return f"card {self.number}"',)),
    Variation("catalogue/signals.py", '" ".join', ('"  ".join',)),
    Variation("catalogue/apps.py", 'verbose_name = "Catalogue"', ('verbose_name = "Books and authors"',)),
)

_ADMIN = (
    Variation(
        "catalogue/admin.py",
        '("title", "author", "genre")',
        ('("title", "author", "pages")', '("title", "genre")', '("title", "author", "genre", "section")'),
    ),
    Variation("catalogue/admin.py", 'list_filter = ("genre",)', ('list_filter = ("genre", "section")',)),
    Variation("catalogue/admin.py", "admin.site.register(Section, MPTTModelAdmin)\n", ("",)),
    Variation(
        "lending/admin.py", '    list_filter = ("returned",)\n', ("", '    list_filter = ("returned", "since")\n')
    ),
    Variation("members/admin.py", '("number", "owner")', ('("owner", "number")',)),
)

_VIEWS = (
    Variation("catalogue/serializers.py", 'fields = ("id", "name")', ('fields = ("id", "name", "books")',)),
    Variation(
        "catalogue/serializers.py",
        "GENRES.get(book.genre, book.genre)",
        ("GENRES.get(book.genre, book.genre).upper()",),
    ),
    Variation("catalogue/filters.py", '"icontains"', ('"istartswith"',)),
    Variation("catalogue/forms.py", 'Submit("search", "Search")', ('Submit("find", "Find")',)),
    Variation(
        "catalogue/views.py",
        "from django.http",
        ("import tablib.formats\nfrom django.http", "import dns.resolver\nfrom django.http"),
    ),
    Variation("catalogue/templatetags/shelving.py", 'f"shelf {', ('f"on shelf {',)),
    Variation("branch/views.py", 'greeting("reader")', ('greeting("guest")',)),
    Variation("branch/views.py", 'order_by("title")', ('order_by("pages", "id")',)),
    Variation("lending/fines.py", "max(0, late)", ("max(1, late)", "abs(late)")),
    Variation("lending/views.py", "date(2026, 1, 31)", ("date(2026, 2, 28)",)),
    Variation(
        "lending/views.py",
        "from django.shortcuts import render\n",
        ("from django.shortcuts import render\nfrom rest_framework.schemas import openapi\n",),
    ),
    Variation("members/greeting.py", '_("Welcome")', ('_("Hello")', '"Good day"')),
)

_DATA = (
    Variation("catalogue/data/genres.json", '"Novel"', ('"Long story"', '"Novels"')),
    Variation("lending/data/rules.txt", "Bring back what you take.", ("Read.", "Whisper.")),
    Variation("branch/templates/branch/base.html", "<footer>", ('<footer class="small">',)),
    Variation("branch/templates/branch/front.html", "({{ book|shelf }})", ("[{{ book|shelf }}]",)),
    Variation("catalogue/templates/catalogue/books.html", "{% crispy form %}\n", ("",)),
    Variation("catalogue/templates/catalogue/book.html", "{{ book.pages }} pages", ("{{ book.pages }} leaves",)),
    Variation("lending/templates/lending/loans.html", "<td>{{ fine }}</td>", ("<td><b>{{ fine }}</b></td>",)),
)

VARIATIONS = _SETTINGS + _ADDRESSES + _MODELS + _ADMIN + _VIEWS + _DATA
