package dl4jbridge.fused;

import java.util.List;
import org.deeplearning4j.nn.conf.layers.Layer;

/** All cells. A new one is a class like {@link FusedLSTM} and its line in this list. */
public final class Cells {
    public static final List<Cell> ALL = List.of(FusedGravesLSTM.CELL, FusedLSTM.CELL);

    private Cells() {}

    /** @throws IllegalArgumentException if no cell has this name */
    public static Cell named(String name) {
        return ALL.stream().filter(cell -> cell.name().equals(name)).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("cell: unknown " + name + "; wanted one of " + ALL));
    }

    /** The cell of a layer's configuration, stock or fused; null if it has none of these. */
    public static Cell of(Layer configuration) {
        return ALL.stream().filter(cell -> cell.stock().isInstance(configuration)).findFirst().orElse(null);
    }
}
