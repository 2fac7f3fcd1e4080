from makesomenoise.evaluation.tables import figure, percent, table, within


def test_a_table_keeps_its_columns_whatever_a_cell_holds():
    lines = table(["a", "b"], [["1|2", "3"]]).splitlines()
    assert lines == ["| a | b |", "| --- | --- |", "| 1/2 | 3 |"]


def test_what_there_is_not_is_a_dash():
    assert within(0.5, 0.0123) == "50.0 ± 1.2 %"
    assert [percent(0.1234), percent(None), figure(1.2345, 1), figure(None)] == ["12.3 %", "-", "1.2", "-"]
